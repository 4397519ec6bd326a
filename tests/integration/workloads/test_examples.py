"""The examples that the README points to run as they are."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schedulers.jobspec import JobSpec
from tests.integration.workloads.runner import finish, prepare, run_all, run_task, start
from workloads.campaign import buckets, pass_rate
from workloads.eda.rtl_simulation import RtlRegression
from workloads.script import Script
from workloads.template import Results

EXAMPLES = Path(__file__).parents[3] / "examples"


def simulate_arbiter(workspace: Path, *defines: str) -> Results:
    printed = subprocess.check_output([sys.executable, EXAMPLES / "arbiter/parameters.py", *defines])
    template = RtlRegression()
    params = template.validate(json.loads(printed))
    run_all(workspace, template.render(params))
    return template.parse(workspace, params)


def script(name: str, **raw: object) -> JobSpec:
    text = (EXAMPLES / "scripts" / name).read_text()
    return Script().render(Script().validate({"script": text, **raw}))


def test_the_arbiter_passes_its_regression(tmp_path: Path) -> None:
    results = simulate_arbiter(tmp_path)
    assert (len(results.tasks), pass_rate(results.tasks)) == (10, 1)


def test_the_arbiter_s_planted_bug_is_one_group_of_failures(tmp_path: Path) -> None:
    [bucket] = buckets(simulate_arbiter(tmp_path, "BUG_UNFAIR").tasks)
    assert bucket.signature == "TB_ERROR [UNFAIR] t=* request * grant *"


def test_hello_says_where_it_runs(tmp_path: Path) -> None:
    spec = script("hello.sh")
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec)
    assert ended.exit_code == 0
    assert "1 thread(s)" in ended.output


def test_the_sweep_covers_its_voltages_and_slows_down_as_they_fall(tmp_path: Path) -> None:
    ended = run_all(tmp_path, script("sweep.sh", array="0-4"))
    delays = [float(one.output.rpartition("=")[2]) for one in ended.values()]
    assert delays == sorted(delays, reverse=True)
    assert delays[3] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_resume_goes_on_where_it_was_stopped(tmp_path: Path, number: signal.Signals) -> None:
    spec = script("resume.sh", environment={"STEPS": "1000000"})
    prepare(tmp_path, spec)
    process = start(tmp_path, spec)
    deadline = time.monotonic() + 60
    while not (tmp_path / "checksum").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    assert finish(tmp_path, process).exit_code == 75
    saved = int((tmp_path / "progress").read_text())
    ended = run_task(tmp_path, script("resume.sh", environment={"STEPS": str(saved)}))
    assert (ended.exit_code, f"starting at step {saved}" in ended.output) == (0, True)
