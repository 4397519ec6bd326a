"""The SPICE template's rendered script on the real ngspice, beside the tool run by hand."""

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.eda.spice import Spice
from workloads.eda.spice_parameters import SpiceParameters
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Spice()
ONE = {"corners": ["tt"], "voltages": [1.2], "temperatures": [25]}
DIVIDER = """A divider whose output is known: 2/3 of the supply
.param top=1k
v1 in 0 {vdd}
r1 in out {top}
r2 out 0 2k
.tran 1u 10u
.meas tran level avg v(out) from=1u to=9u
.meas tran never when v(out)=99 rise=1
.end
"""
CIRCUIT = {"sources": {"divider.cir": DIVIDER}, "netlist": "divider.cir", "corners": [], "validity": []}


def simulate(workspace: Path, **raw: object) -> tuple[list[int], Results, SpiceParameters]:
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params), params


def by_hand(folder: Path, *lines: str) -> dict[str, float]:
    """What ngspice measures on the shipped deck with these lines added in an editor."""
    (folder / "devices.lib").write_text(shipped("spice/devices.lib"))
    (folder / "ring.cir").write_text(
        shipped("spice/ring.cir").replace(".end\n", "\n".join([*lines, ".end", ""]))
    )
    printed = subprocess.check_output(["ngspice", "-b", "ring.cir"], cwd=folder, text=True)
    return {name: float(value) for name, value in re.findall(r"^(\w+) += +(\S+)", printed, re.MULTILINE)}


def test_all_corners_are_valid_and_ordered_as_physics_has_them(tmp_path: Path) -> None:
    """Slow silicon, a low supply and heat each make the ring slower, at every corner of the others."""
    codes, results, params = simulate(tmp_path, voltages=[1.08, 1.32], temperatures=[-40, 125])
    assert codes == [0] * 12
    assert {task.verdict for task in results.tasks} == {Verdict.PASS}
    cells = itertools.product(params.corners, params.voltages, params.temperatures)
    period = dict(zip(cells, (task.metrics[0].value for task in results.tasks), strict=True))
    for voltage, temperature in itertools.product(params.voltages, params.temperatures):
        assert period["ss", voltage, temperature] > period["tt", voltage, temperature]
        assert period["tt", voltage, temperature] > period["ff", voltage, temperature]
    for corner, other in itertools.product(params.corners, params.temperatures):
        assert period[corner, 1.08, other] > period[corner, 1.32, other]
    for corner, other in itertools.product(params.corners, params.voltages):
        assert period[corner, other, -40] < period[corner, other, 125]


def test_a_corner_with_a_sample_equals_ngspice_run_by_hand(tmp_path: Path) -> None:
    """Tolerance: none; the printed digits are equal."""
    raw = {"corners": ["ss"], "voltages": [1.1], "temperatures": [85], "samples": 2}
    _, results, _ = simulate(tmp_path / "job", **raw, variations=["dn1=0:0.02", "dn4=0:0.02"])
    values = (tmp_path / "job/spice/samples.txt").read_text().splitlines()[1].split()[1:]
    lines = ['.lib "devices.lib" ss', ".temp 85", ".param vdd=1.1", *(f".param {one}" for one in values)]
    expected = by_hand(tmp_path, *lines)
    measured = (tmp_path / "job/measures/0.txt").read_text().splitlines()
    found = {name: float(value) for sample, name, value in map(str.split, measured) if sample == "2"}
    assert {name: found[name] for name in ("period", "power", "agreement", "swing")} == {
        name: expected[name] for name in ("period", "power", "agreement", "swing")
    }
    assert results.tables[0].rows[0][:4] == ("ss 1.1 V, 85 °C", 2, 0, 2)


def test_a_divider_gives_what_ohm_says(tmp_path: Path) -> None:
    """Tolerance: 1e-6 relative, ngspice's RELTOL is 1e-3 but the circuit is linear."""
    raw = {**CIRCUIT, "voltages": [3, 9], "temperatures": [25], "measures": ["level 2..4 V"]}
    codes, results, _ = simulate(tmp_path, **raw)
    assert codes == [0, 0]
    assert [row[1] for row in results.tables[0].rows] == pytest.approx([2, 6], rel=1e-6)
    assert [task.verdict for task in results.tasks] == [Verdict.PASS, Verdict.FAIL]


def test_resistors_that_vary_give_the_yield_that_can_be_worked_out(tmp_path: Path) -> None:
    """The level is 3 * 2k / (top + 2k), below 2 V where top is above 1k: half of the samples."""
    raw = {**CIRCUIT, "voltages": [3], "temperatures": [25], "measures": ["level 2.. V"]}
    _, results, params = simulate(
        tmp_path, **raw, variations=["top=1000:50"], samples=24, samples_per_task=12, target_yield=0.99
    )
    drawn = [
        float(line.rpartition("=")[2]) for line in (tmp_path / "spice/samples.txt").read_text().splitlines()
    ]
    good = sum(top <= 1000 for top in drawn)
    assert results.tables[0].rows[0][:4] == ("3 V, 25 °C", 24, 0, good)
    assert 0 < good < params.samples
    assert {task.verdict for task in results.tasks} == {Verdict.FAIL}


def test_a_measure_out_of_its_interval_is_invalid_although_ngspice_ends_with_0(tmp_path: Path) -> None:
    raw = {**CIRCUIT, "voltages": [3], "temperatures": [25], "measures": ["never s"]}
    codes, results, _ = simulate(tmp_path, **raw)
    [task] = results.tasks
    assert (codes, task.verdict) == ([0], Verdict.NO_VERDICT)
    assert task.failure
    assert task.failure.signature == "invalid: never could not be measured"
    assert "never" in task.failure.line


def test_a_ring_that_starts_in_balance_is_invalid_not_fast(tmp_path: Path) -> None:
    dead = re.sub(r"^\.ic .*$", ".ic v(n1)=0", shipped("spice/ring.cir"), flags=re.MULTILINE)
    dead = dead.replace("5n uic", "0.5n uic")
    sources = {"ring.cir": dead, "devices.lib": shipped("spice/devices.lib")}
    _, results, _ = simulate(tmp_path, **ONE, sources=sources)
    assert results.tasks[0].verdict is Verdict.NO_VERDICT
    assert results.tables[0].rows[0][1:] == (None, None)


def test_a_missing_model_section_fails_with_ngspice_s_words(tmp_path: Path) -> None:
    codes, results, _ = simulate(tmp_path, **{**ONE, "corners": ["nowhere"]})
    [task] = results.tasks
    assert (codes, task.verdict) == ([1], Verdict.FAIL)
    assert task.failure
    assert "nowhere" in (tmp_path / task.failure.file).read_text()
