"""A regression whose bench is Python: the rendered script with cocotb on real simulators."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workloads.runner import run_all
from tests.integration.workloads.waveforms import fst_end
from workloads.campaign import buckets
from workloads.eda.rtl_simulation import RtlRegression
from workloads.template import Results, Verdict

TEMPLATE = RtlRegression()
EXAMPLE = Path(__file__).parents[3] / "examples/arbiter"
LEVEL = "AssertionError: level mismatch: got * expected *"
ODD = """\
import random
import cocotb
from cocotb.triggers import Timer

@cocotb.test()
async def small(dut):
    await Timer(1, "ns")
    assert random.randrange(100) < 0

@cocotb.test()
async def large(dut):
    await Timer(1, "ns")
    assert random.randrange(100) > 99

@cocotb.test(skip=True)
async def later(dut):
    pass

@cocotb.test()
@cocotb.parametrize(width=[1, 2])
async def wide(dut, width):
    print("TB_STAT seen=%d" % width)
"""


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """cocotb is where this Python is, as it is for jobs of a node."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def run(workspace: Path, **raw: Any) -> tuple[list[int], Results]:  # noqa: ANN401
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params)


def odd(workspace: Path, text: str = ODD, **raw: Any) -> tuple[list[int], Results]:  # noqa: ANN401
    sources = {"a.v": "module a; reg b = 0; endmodule\n", "benches/odd.py": text}
    return run(workspace, sources=sources, top="a", cocotb=["benches.odd"], seeds=1, **raw)


def by_hand(folder: Path, seed: int) -> str:
    """What cocotb's own runner logs of the failing assertion of the example."""
    script = f"""
from cocotb_tools.runner import get_runner
runner = get_runner("icarus")
runner.build(sources=["design/fifo.sv"], hdl_toplevel="fifo", defines={{"BUG_LEVEL": 1}})
runner.test(hdl_toplevel="fifo", test_module="test_fifo", seed={seed}, testcase="balanced",
            plusargs=["+n=300"])
"""
    environment = os.environ | {"PYTHONPATH": str(folder / "design")}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def facts(results: Results, index: int = 0) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.tasks[index].metrics}


def test_a_seed_fails_alike_on_icarus_on_verilator_and_with_cocotb_s_own_runner(tmp_path: Path) -> None:
    """No tolerance: Python draws the numbers, so that the same seed is the same run, to the nanosecond."""
    raw = {"cocotb": ["test_fifo"], "top": "fifo", "transactions": 300, "defines": ["BUG_LEVEL"], "seeds": 1}
    raw |= {"tests": ["balanced"], "first_seed": 4}
    codes, icarus = run(tmp_path / "icarus", **raw, waves=True)
    _, verilator = run(tmp_path / "verilator", **raw, tool="verilator")
    own = by_hand(tmp_path / "icarus", seed=4)
    [stopped] = re.findall(r"test_fifo.balanced +FAIL +([\d.]+)", own)
    assert codes == [1]
    for results in (icarus, verilator):
        failure = results.tasks[0].failure
        assert failure
        assert failure.signature == LEVEL
        assert failure.line in own
        assert facts(results)["simulated_ns"] == float(stopped)
        assert (facts(results)["cocotb_passed"], facts(results)["cocotb_failed"]) == (0, 1)
    failure = icarus.tasks[0].failure
    assert failure
    log = (tmp_path / "icarus" / failure.file).read_text().splitlines()
    assert failure.line in log[failure.line_number - 1]
    assert fst_end(tmp_path / "icarus" / icarus.tasks[0].artefacts[1].path) > 0


def test_what_cocotb_says_decides_and_assertions_without_words_are_told_apart_by_their_source(
    tmp_path: Path,
) -> None:
    codes, results = odd(tmp_path, tests=["odd", "large", "wide", "nothing"])
    assert codes == [1, 1, 0, 3]
    assert {bucket.signature for bucket in buckets(results.tasks)} == {
        "AssertionError: assert random.randrange(*) < *",
        "AssertionError: assert random.randrange(*) > *",
        "no verdict: no cocotb test ran",
    }
    counts = [
        [facts(results, n)[f"cocotb_{name}"] for name in ("passed", "failed", "skipped")] for n in range(3)
    ]
    assert counts == [[2, 2, 1], [0, 1, 0], [2, 0, 0]], "a module is all its tests"
    assert facts(results, 2)["seen"] == 2


def test_a_module_that_cannot_be_imported_never_passes(tmp_path: Path) -> None:
    codes, results = odd(tmp_path, "import no_such_module\n", tests=["small"])
    assert codes != [0]
    assert results.tasks[0].verdict is not Verdict.PASS
    assert results.tasks[0].failure


def test_the_arbiter_s_regression_file_finds_its_planted_bug_in_one_configuration(tmp_path: Path) -> None:
    sources = {name: (EXAMPLE / name).read_text() for name in ("rtl/arbiter.sv", "tb/test_arbiter.py")}
    text = (EXAMPLE / "cocotb.toml").read_text().replace("seeds = 5", "seeds = 1")
    _, results = run(tmp_path, sources=sources, regression=text, only_tasks=[0, 1])
    verdicts = {task.label: task.verdict for task in results.tasks}
    assert verdicts == {"busy/good seed 1": Verdict.PASS, "busy/unfair seed 1": Verdict.FAIL}
    [bucket] = buckets(results.tasks)
    assert bucket.signature == "AssertionError: unfair: requester * waits for * grants"
