"""The place-and-route template's rendered script on the real qflow, beside qflow run by hand."""

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from hpc_portal.app.files.preview import PreviewKind, preview_bytes
from tests.integration.workloads.runner import prepare, run_all, run_task
from workloads.eda.place_and_route import PlaceAndRoute
from workloads.template import Results, Verdict

TEMPLATE = PlaceAndRoute()
TECHNOLOGY = "/usr/share/qflow/tech/osu018"
COUNTER = """module counter(input clk, input rst_n, input en, output reg [3:0] count);
  always @(posedge clk or negedge rst_n)
    if (!rst_n) count <= 0; else if (en) count <= count + 1;
endmodule
"""
YOSYS_BY_HAND = f"""read_liberty -lib -ignore_miss_dir -setattr blackbox {TECHNOLOGY}/osu018_stdcells.lib
read_verilog counter.v
synth -flatten -top counter
rename -hide
rename -enumerate -pattern inner_%
write_verilog -noattr source/counter.v
"""
HOSTILE_INSIDE = r"""module b(input clk, d, output reg q);
  reg \$(touch${IFS}INJECTED) ;
  reg \";touch${IFS}INJECTED;" ;
  always @(posedge clk) begin
    \$(touch${IFS}INJECTED) <= d;
    \";touch${IFS}INJECTED;" <= \$(touch${IFS}INJECTED) ;
    q <= \";touch${IFS}INJECTED;" ;
  end
endmodule
module a(input clk, d, output q);
  b \[exit] (clk, d, q);
endmodule
"""


def lay_out(workspace: Path, **raw: object) -> tuple[int, Results]:
    params = TEMPLATE.validate({"sources": {"counter.v": COUNTER}, "top": "counter", **raw})
    [ended] = run_all(workspace, TEMPLATE.render(params)).values()
    return ended.exit_code, TEMPLATE.parse(workspace, params)


def values(results: Results) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.metrics}


def by_hand(folder: Path) -> dict[str, float]:
    """The same input through qflow's own steps: numbers from its logs, wires by a reader of our own."""
    for name in ("source", "synthesis", "layout", "log"):
        (folder / name).mkdir(parents=True)
    (folder / "counter.v").write_text(COUNTER)
    (folder / "prepare.ys").write_text(YOSYS_BY_HAND)
    (folder / "project_vars.sh").write_text("set initial_density = 0.8\n")
    floorplan = (
        Path(f"{TECHNOLOGY}/osu018.par").read_text().replace("aspect.ratio : 0.75", "aspect.ratio : 1")
    )
    (folder / "layout/counter.par").write_text(floorplan)
    subprocess.check_call(["yosys", "-q", "prepare.ys"], cwd=folder)
    log = ""
    for step in ("synthesize", "place", "route", "backanno", "migrate", "drc", "lvs"):
        log += subprocess.check_output(
            ["qflow", step, "-T", "osu018", "counter"],
            cwd=folder,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
        )
    log += (folder / "log/post_sta.log").read_text()
    patterns = {
        "timing__fmax": r"Computed maximum clock frequency \(zero margin\) = ([\d.]+) MHz",
        "magic__drc_error__count": r"^drc = (\d+)",
        "design__lvs_error__count": r"^Total errors = (\d+)",
    }
    found = {name: float(re.findall(text, log, re.MULTILINE)[-1]) for name, text in patterns.items()}
    return found | measured((folder / "layout/counter.def").read_text())


def measured(layout: str) -> dict[str, float]:
    """Die, cells, wires and vias of a DEF in µm."""
    units = int(re.findall(r"MICRONS (\d+)", layout)[0])
    left, bottom, right, top = map(int, re.findall(r"DIEAREA \( (\S+) (\S+) \) \( (\S+) (\S+) \)", layout)[0])
    length = vias = 0
    nets = layout[layout.index("\nNETS ") :]
    for net in re.findall(r"\+ ROUTED .*?(?:;|(?=^-))", nets, re.DOTALL | re.MULTILINE):
        for wire in re.split(r"NEW|ROUTED", net)[1:]:
            vias += len(re.findall(r"\bM\d_M\d\b", wire))
            points: list[tuple[int, ...]] = []
            for point in re.findall(r"\( (\S+) (\S+) \)", wire):
                last = points[-1] if points else (0, 0)
                points.append(
                    tuple(old if text == "*" else int(text) for text, old in zip(point, last, strict=True))
                )
            steps = itertools.pairwise(points)
            length += sum(abs(x - old_x) + abs(y - old_y) for (old_x, old_y), (x, y) in steps)
    placed = re.findall(r"^- \S+ (?!FILL)\S+ \+ PLACED", layout, re.MULTILINE)
    return {
        "design__die__area": (right - left) * (top - bottom) / units**2,
        "design__instance__count": len(placed),
        "route__wirelength": length / units,
        "route__vias": vias,
    }


def test_a_layout_equals_qflow_run_by_hand_on_the_same_input(tmp_path: Path) -> None:
    """Tolerance: none, beyond the digits that are printed: the placer's seed is the technology's own."""
    code, results = lay_out(tmp_path / "job")
    found = values(results)
    own = by_hand(tmp_path / "hand")
    assert {name: found[name] for name in own} == pytest.approx(own, abs=0.01)
    assert (code, results.tasks[0].verdict) == (0, Verdict.PASS)
    assert found["design__instance__count__class:sequential_cell"] == 4
    assert found["design__instance__area"] < found["design__die__area"]
    paths = {one.path for one in results.tasks[0].artefacts}
    assert {f"run/layout/counter.{kind}" for kind in ("def", "gds", "mag")} <= paths
    drawing = (tmp_path / "job/reports/layout.png").read_bytes()
    assert preview_bytes(drawing, size=len(drawing), name="layout.png").kind is PreviewKind.IMAGE


def test_power_and_ground_that_touch_in_a_narrow_die_are_found_by_lvs_and_a_slow_clock_is_told_first(
    tmp_path: Path,
) -> None:
    """A die narrower than qflow's power stripes: a real flaw of the flow, which breaks no design rule."""
    code, results = lay_out(tmp_path, aspect_ratio=3, clock_period_ns=0.3)
    [task] = results.tasks
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert task.failure
    assert task.failure.signature == "the routed design is slower than the clock"
    assert "maximum clock frequency" in task.failure.line
    assert ("net", "gnd", "vdd, gnd") in results.tables[0].rows
    assert values(results)["magic__drc_error__count"] == 0
    assert values(results)["design__lvs_error__count"] == 2, "the net, and how many nets there are"


def test_a_router_that_gives_up_names_the_nets_that_it_left(tmp_path: Path) -> None:
    code, results = lay_out(
        tmp_path, sources={}, top="fifo", parameter_set="WIDTH=1 DEPTH=2", routing_layers=2, density=1
    )
    [task] = results.tasks
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert task.failure
    assert task.failure.signature == "the router left nets unconnected"
    assert values(results)["route__unrouted_net__count"] == len(results.tables[0].rows) > 0


def test_names_inside_a_design_never_reach_the_shell_and_a_port_of_such_a_name_is_refused(
    tmp_path: Path,
) -> None:
    inside = {"sources": {"a.sv": HOSTILE_INSIDE}, "top": "a"}
    code, results = lay_out(tmp_path / "inside", **inside, last_step="placement")
    assert (code, results.tasks[0].verdict) == (0, Verdict.PASS)
    text = (
        "module a(input \\`touch${IFS}INJECTED` , output q); assign q = \\`touch${IFS}INJECTED` ; endmodule\n"
    )
    port = {"sources": {"a.v": text}, "top": "a"}
    code, results = lay_out(tmp_path / "port", **port)
    assert code == 2
    assert results.tasks[0].failure
    assert "the placer takes ports of letters, digits and _ only" in results.tasks[0].failure.line
    assert not list(tmp_path.rglob("INJECTED*"))


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "mkdir", "rm", "mv", "tcsh", "yosys", "qflow"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    params = TEMPLATE.validate({})
    spec = TEMPLATE.render(params)
    prepare(tmp_path / "job", spec)
    assert run_task(tmp_path / "job", spec, path=str(tools)).exit_code == 127
    [task] = TEMPLATE.parse(tmp_path / "job", params).tasks
    assert task.failure
    assert task.failure.signature == "tool missing: graywolf"
