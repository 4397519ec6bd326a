"""The VHDL template's rendered script on the real GHDL, beside GHDL run by hand."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.campaign import buckets
from workloads.eda.vhdl import Vhdl
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Vhdl()
SILENT = "entity tb is end;\narchitecture a of tb is begin\n{}\nend;\n"


def simulate(workspace: Path, **raw: object) -> tuple[list[int], Results]:
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params)


def by_hand(folder: Path, *generics: str) -> str:
    for name in ("gray_counter.vhd", "gray_counter_tb.vhd"):
        (folder / name).write_text(shipped(f"vhdl/{name}"))
        subprocess.run(["ghdl", "-a", "--std=08", name], cwd=folder, check=True)
    command = ["ghdl", "-r", "--std=08", "gray_counter_tb", *(f"-g{one}" for one in generics)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_runs_equal_ghdl_run_by_hand_and_the_planted_bug_is_one_group(tmp_path: Path) -> None:
    """No tolerance: the same seed counts the same steps and fails at the same nanosecond."""
    codes, results = simulate(
        tmp_path / "job", variants=["n=100", "n=300 HAS_BUG=true"], seeds=2, first_seed=6, waves="fst"
    )
    assert codes == [0, 0, 1, 1]
    values = {metric.name: metric.value for metric in results.tasks[0].metrics}
    own = by_hand(tmp_path, "n=100", "seed=6")
    assert f"steps={values['steps']:g}" in own
    assert f"simulation finished @{values['simulated_ns']:g}ns" in own
    [bucket] = buckets(results.tasks)
    assert (bucket.signature, bucket.count) == ("assertion error: count mismatch: got * expected *", 2)
    failure = results.tasks[2].failure
    assert failure
    assert failure.line.removeprefix("design/") in by_hand(tmp_path, "n=300", "HAS_BUG=true", "seed=6")
    assert (tmp_path / "job" / failure.file).read_text().splitlines()[failure.line_number - 1] == failure.line
    assert (tmp_path / "job/waves/2.fst").read_bytes()[0] in (0, 254), "FST begins with a header or is packed"
    assert ("waves/2.fst", "waveform") in [(one.path, one.kind) for one in results.tasks[2].artefacts]
    assert len({task.build for task in results.tasks}) == 1


def test_ghw_holds_waves_too(tmp_path: Path) -> None:
    simulate(tmp_path, seeds=1, waves="ghw")
    assert (tmp_path / "waves/0.ghw").read_bytes().startswith(b"GHDLwave")


@pytest.mark.parametrize(
    ("body", "raw", "code", "verdict", "signature"),
    [
        pytest.param(
            "  assert false;",
            {},
            1,
            Verdict.FAIL,
            "tb.vhd:3: assertion error: Assertion violation",
            id="no words",
        ),
        pytest.param(
            '  assert false report "x" severity failure;',
            {"standard": "93"},
            1,
            Verdict.FAIL,
            "assertion failure: x",
            id="VHDL-93",
        ),
        pytest.param(
            '  assert false report "TEST PASSED CHECKS" severity warning;',
            {},
            0,
            Verdict.PASS,
            "",
            id="a warning",
        ),
        pytest.param(
            '  assert false report "TEST PASSED CHECKS" severity warning;',
            {"fail_level": "warning"},
            1,
            Verdict.FAIL,
            "assertion warning: TEST PASSED CHECKS",
            id="warnings fail",
        ),
        pytest.param(
            "  process begin loop wait for 1 ns; end loop; end process;",
            {"stop_time": "50 ns"},
            3,
            Verdict.NO_VERDICT,
            "no verdict: the stop time came before a pass text",
            id="stop time",
        ),
        pytest.param(
            "  process begin loop wait for 1 ns; end loop; end process;",
            {"stop_time": "50 ns", "pass_patterns": []},
            0,
            Verdict.PASS,
            "",
            id="stop time is the end",
        ),
        pytest.param(
            "  process begin loop wait for 1 ns; end loop; end process;",
            {"stop_time": None, "timeout_seconds": 1},
            1,
            Verdict.FAIL,
            "the simulation passed its time limit",
            id="endless",
        ),
        pytest.param(
            "  process variable n : natural := 0; begin n := n - 1; wait; end process;",
            {},
            1,
            Verdict.FAIL,
            "bound check failure",
            id="out of range",
        ),
        pytest.param("  nonsense;", {}, 2, Verdict.FAIL, "analysis failed: ", id="no such name"),
        pytest.param("", {"top": "other"}, 2, Verdict.FAIL, "analysis failed: ", id="no such bench"),
    ],
)
def test_what_ghdl_says_decides(  # noqa: PLR0913, PLR0917 - one argument for each column
    tmp_path: Path, body: str, raw: dict[str, object], code: int, verdict: Verdict, signature: str
) -> None:
    asked = {"sources": {"tb.vhd": SILENT.format(body)}, "top": "tb", "seed_generic": None, "seeds": 1} | raw
    codes, results = simulate(tmp_path, **asked)
    [task] = results.tasks
    assert (codes, task.verdict) == ([code], verdict)
    assert re.search(re.escape(signature), task.failure.signature if task.failure else "")
    assert (task.failure is None) == (verdict is Verdict.PASS)


def test_hostile_names_and_texts_of_a_design_are_never_run(tmp_path: Path) -> None:
    text = r"entity tb is end; architecture a of tb is signal \$(touch INJECTED)\ : bit; begin"
    text += (
        '\n  assert false report "$(touch INJECTED) `touch INJECTED`; touch INJECTED" severity error;\nend;\n'
    )
    asked = {
        "top": "tb",
        "seed_generic": None,
        "seeds": 1,
        "pass_patterns": ["$(touch INJECTED)", "-f INJECTED"],
    }
    codes, _ = simulate(tmp_path, sources={"tb.vhd": text}, waves="fst", fail_level="failure", **asked)
    assert codes == [3]
    assert not list(tmp_path.rglob("INJECTED*"))
