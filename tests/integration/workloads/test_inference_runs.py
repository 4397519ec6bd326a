"""Batch inference that really runs: every input is answered once, and bad ones are named."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.workloads.forked_tasks import exit_codes, run_forked
from tests.integration.workloads.runner import finish, prepare, run_task, start
from workloads.ai.inference import Inference, InferenceParameters
from workloads.template import Verdict

TEMPLATE = Inference()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ANSWERS = """
import json, os, signal, sys
with open("../../started", "a") as started:
    print(open(os.environ["HPC_INPUTS"]).read().split(), file=started)
with open(os.environ["HPC_OUTPUTS"], "a") as outputs:
    def say(**answer):
        print(json.dumps(answer), file=outputs, flush=True)
    for one in open(os.environ["HPC_INPUTS"]).read().splitlines():
        name = one.rpartition("/")[2]
"""
"""What programs of these tests begin with; they note what they were started with."""

pytestmark = pytest.mark.timeout(600)


def prepared(workspace: Path, answers: str, **raw: object) -> InferenceParameters:
    own: dict[str, Any] = {"files": {"answer.py": ANSWERS + answers}, "program": "answer.py"}
    params = TEMPLATE.validate(own | raw)
    prepare(workspace, TEMPLATE.render(params))
    return params


def merged(workspace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (workspace / "merged.jsonl").read_text().splitlines()]


def starts(workspace: Path) -> int:
    return len((workspace / "started").read_text().splitlines())


def test_a_folder_is_cut_into_shards_each_done_once_and_merged_in_order(tmp_path: Path) -> None:
    folder, workspace = tmp_path / "images of Đà Nẵng", tmp_path / "job"
    folder.mkdir()
    for name in ("b.png", "a.png", "c.png", "d.png", "e.png", "notes.txt"):
        (folder / name).write_text(name)
    program = "        say(input=one, size=len(open(one).read()))"
    params = prepared(workspace, program, inputs=[], input_folder=str(folder), pattern="*.png", shards=3)
    spec = TEMPLATE.render(params)
    assert run_task(workspace, spec, 1, PATH).exit_code == 0
    (folder / "0 came later.png").touch()
    assert not (workspace / "merged.jsonl").exists()
    for shard in (2, 0):
        ended = run_task(workspace, spec, shard, PATH)
        assert ended.exit_code == 0, ended.output
    assert [Path(one["input"]).name for one in merged(workspace)] == [f"{letter}.png" for letter in "abcde"]
    assert json.loads((workspace / "summary.json").read_text())["inputs"] == 5
    results = TEMPLATE.parse(workspace, params)
    assert [task.verdict for task in results.tasks] == [Verdict.PASS] * 3
    found = {metric.name: metric.value for metric in results.metrics}
    assert (found["inputs"], found["bad_inputs"], found["mean_size"]) == (5, 0, 5)
    before = (workspace / "outputs/0.jsonl").stat().st_mtime_ns
    assert run_task(workspace, spec, 0, PATH).exit_code == 0
    assert (starts(workspace), (workspace / "outputs/0.jsonl").stat().st_mtime_ns) == (3, before)


def test_bad_inputs_are_named_whether_the_program_says_so_or_dies_of_them(tmp_path: Path) -> None:
    program = """
        if one == "3":
            say(input=one, error="is no image")
        elif one in "711":
            outputs.write('{"input": "')
            outputs.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        else:
            say(input=one)
"""
    params = prepared(tmp_path, program, inputs=["0..15"], shards=1)
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert ended.exit_code == 0, ended.output
    assert [one["input"] for one in merged(tmp_path)] == [str(number) for number in range(16)]
    died = "the program ended with signal 11 and no answer"
    assert TEMPLATE.parse(tmp_path, params).tables[0].rows == (
        *(("1", died), ("3", "is no image"), ("7", died), ("11", died)),
    )


def test_an_input_that_a_program_never_answers_is_named_in_the_end(tmp_path: Path) -> None:
    params = prepared(tmp_path, "        signal.pause()", inputs=["endless"], shards=1, silence_seconds=1)
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert ended.exit_code == 0, ended.output
    assert merged(tmp_path) == [
        {"input": "endless", "error": "the program ended with signal 9 and no answer"},
    ]


def test_what_was_answered_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    program = """
        if one == "3" and not os.path.exists("listens"):
            open("listens", "w").close()
            signal.pause()
        say(input=one)
"""
    params = prepared(tmp_path, program, inputs=["0..5"], shards=1)
    spec = TEMPLATE.render(params)
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 75)):
        process = start(tmp_path, spec, 0, PATH)
        listens = tmp_path / "shards/0/listens"
        deadline = time.monotonic() + 120
        while not listens.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        assert finish(tmp_path, process).exit_code == code
        listens.unlink()
    (tmp_path / "shards/0/listens").touch()
    assert run_task(tmp_path, spec, 0, PATH).exit_code == 0
    asked = (tmp_path / "started").read_text().splitlines()
    assert asked == ["['0', '1', '2', '3', '4', '5']", *["['3', '4', '5']"] * 2]
    assert [one["input"] for one in merged(tmp_path)] == list("012345")


@pytest.mark.parametrize(
    ("program", "raw", "said"),
    [
        ("        sys.exit('it is broken')", {}, "the program answers nothing"),
        ("        pass", {"inputs": []}, "there are no inputs"),
        ("        pass", {"input_folder": "/nonexistent"}, "cannot read the folder /nonexistent"),
        ("        pass", {"inputs": ["0..99999999999"]}, "are more than"),
        ("        pass", {"program": "/nonexistent.bin"}, "cannot start /nonexistent.bin"),
    ],
)
def test_what_cannot_work_fails_with_the_reason(
    tmp_path: Path, program: str, raw: dict[str, Any], said: str
) -> None:
    params = prepared(tmp_path, program, **{"shards": 1, "inputs": ["0..7"], **raw})
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert (ended.exit_code, said in ended.output) == (65, True), ended.output
    assert TEMPLATE.parse(tmp_path, params).tasks == ()


def test_hostile_inputs_reach_the_program_as_they_are(tmp_path: Path) -> None:
    words = ["$(touch INJECTED)", "`touch INJECTED`", "'; touch INJECTED; '", "-o INJECTED", "*", "../../x"]
    params = prepared(tmp_path, "        say(input=one)", inputs=words, arguments=words, shards=1)
    assert run_task(tmp_path, TEMPLATE.render(params), 0, PATH).exit_code == 0
    assert [one["input"] for one in merged(tmp_path)] == words
    assert not list(tmp_path.rglob("INJECTED*"))


def test_the_shipped_example_names_digits_also_with_a_model_and_images_of_one_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = TEMPLATE.validate({"shards": 1, "inputs": ["0..1799"], "arguments": ["--batch_size=500"]})
    prepare(tmp_path, TEMPLATE.render(params))
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert ended.exit_code == 0, ended.output
    found = {metric.name: metric.value for metric in TEMPLATE.parse(tmp_path, params).metrics}
    assert (found["inputs"], found["bad_inputs"]) == (1800, 3)
    assert found["mean_correct"] > 0.95

    (tmp_path / "inputs").write_text("0\n1\nx\n")
    np.save(tmp_path / "images.npy", np.zeros((3, 64), dtype=np.uint8))
    monkeypatch.setenv("HPC_INPUTS", "inputs")
    monkeypatch.setenv("HPC_OUTPUTS", "outputs.jsonl")
    other = tmp_path / "other"
    prepare(other, TEMPLATE.render(params))
    (other / "inputs").touch()
    np.save(other / "images.npy", np.zeros((3, 63), dtype=np.uint8))
    command = f"program/infer_digits.py --model={tmp_path}/shards/0/model.pt --images=images.npy"
    alone = run_forked("torch,sklearn.datasets", command, (tmp_path, 0), (other, 0))
    assert exit_codes(alone) == [0, 65], alone.stderr
    assert "holds uint8 of shape (3, 63)" in alone.stderr
    answers = [json.loads(line) for line in (tmp_path / "outputs.jsonl").read_text().splitlines()]
    assert [("digit" in one, "error" in one) for one in answers] == [
        (True, False),
        (True, False),
        (False, True),
    ]
