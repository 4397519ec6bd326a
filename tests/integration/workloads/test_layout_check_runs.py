"""The layout-check template's rendered script on the real Magic and Netgen, beside the tools run by hand."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import prepare, run_all, run_task
from workloads.eda.layout_check import LayoutCheck
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = LayoutCheck()
TECHNOLOGY = "/usr/share/qflow/tech/osu018"
CELL = shipped("layout/and2.mag")
NETLIST = shipped("layout/and2.spice")
HOSTILE_LABELS = (
    "$(touch${IFS}INJECTED)",
    "[exec\\ touch\\ INJECTED]",
    '";touch${IFS}INJECTED;"',
    "`id`>INJECTED",
)


def check(workspace: Path, *, cell: str = CELL, spice: str = NETLIST, **raw: object) -> tuple[int, Results]:
    sources = {"and2.mag": cell, "and2.spice": spice}
    params = TEMPLATE.validate({"sources": sources, **raw})
    [ended] = run_all(workspace, TEMPLATE.render(params)).values()
    return ended.exit_code, TEMPLATE.parse(workspace, params)


def values(results: Results) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.metrics}


def with_cell(name: str) -> str:
    """The example cell with another one in it."""
    place = f"use {name} inner_0\ntimestamp 1\ntransform 1 0 100 0 1 0\nbox 0 0 1 1\n"
    return CELL.replace("<< labels >>", place + "<< labels >>")


def with_metal(*rectangles: str) -> str:
    """The example cell with more of the first metal."""
    return CELL.replace("<< metal1 >>\n", "<< metal1 >>\n" + "".join(f"rect {one}\n" for one in rectangles))


def magic(folder: Path, *commands: str) -> str:
    (folder / "run.tcl").write_text("\n".join((*commands, "quit -noprompt\n")))
    command = ["magic", "-dnull", "-noconsole", "-rcfile", f"{TECHNOLOGY}/osu018.magicrc", "run.tcl"]
    return subprocess.check_output(command, cwd=folder, stdin=subprocess.DEVNULL, text=True)


def test_the_example_is_clean_as_it_is_by_hand_and_as_gds_and_cif(tmp_path: Path) -> None:
    """Tolerance: none. The three formats are the same polygons."""
    code, results = check(tmp_path / "mag")
    assert (code, results.tasks[0].verdict, results.tables) == (0, Verdict.PASS, ())
    assert values(results) == {
        "magic__drc_error__count": 0,
        "design__lvs_error__count": 0,
        "design__device__count": 6,
    }
    (tmp_path / "and2.mag").write_text(CELL)
    (tmp_path / "source.spice").write_text(NETLIST)
    said = magic(
        tmp_path,
        "load and2",
        "drc on",
        "drc check",
        "drc catchup",
        'puts "errors [drc list count total]"',
        "gds write and2",
        "cif write and2",
        "extract all",
        "ext2spice scale off",
        "ext2spice",
    )
    assert "errors 0\n" in said
    lvs = ["netgen-lvs", "-batch", "lvs", "and2.spice and2", "source.spice and2"]
    setup = f"{TECHNOLOGY}/osu018_setup.tcl"
    assert "Circuits match uniquely" in subprocess.check_output([*lvs, setup], cwd=tmp_path, text=True)

    gds = base64.encodebytes((tmp_path / "and2.gds").read_bytes()).decode()
    for name, text in {"and2.gds.b64": gds, "and2.cif": (tmp_path / "and2.cif").read_text()}.items():
        same = check(tmp_path / f"as {name}", sources={name: text, "and2.spice": NETLIST}, layout=name)
        assert (same[0], values(same[1])) == (0, values(results)), name


def test_planted_rule_errors_are_counted_by_rule_and_placed_as_by_hand(tmp_path: Path) -> None:
    """Metal 2 λ from the output's instead of 3, and a wire that is 2 λ wide instead of 3; λ is 0.1 µm.

    Tolerance: none. Magic counts the pieces that it cuts a place into.
    """
    cell = with_metal("46 8 49 20", "-16 18 -14 30")
    code, results = check(tmp_path / "job", cell=cell, checks="drc")
    [task] = results.tasks
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert task.failure
    assert task.failure.signature == "design rules are broken"

    (tmp_path / "and2.mag").write_text(cell)
    check_all = ("load and2", "select top cell", "drc on", "drc check", "drc catchup")
    said = magic(tmp_path, *check_all, 'puts "errors [drc list count total]"', "puts [drc listall why]")
    assert f"errors {values(results)['magic__drc_error__count']:.0f}\n" in said
    rules, places = results.tables
    assert set(rules.rows) == {
        (rule, said.partition(f"{{{rule}}}")[2].partition("}}")[0].count("{") - 1)
        for rule in ("Metal1 spacing < 3 (Mosis #7.2)", "Metal1 width < 3 (Mosis #7.1)")
    }
    planted = {
        "Metal1 spacing < 3 (Mosis #7.2)": (4.0, 4.9, 0.5, 2.4),
        "Metal1 width < 3 (Mosis #7.1)": (-1.6, -1.3, 1.8, 3.0),
    }
    for rule, left, bottom, right, top in places.rows:
        west, east, south, north = planted[str(rule)]
        assert west <= float(left or 0) < float(right or 0) <= east
        assert south <= float(bottom or 0) < float(top or 0) <= north


SWAPPED_NET = NETLIST.replace("M6 y nand", "M6 y a")
SWAPPED_PINS = NETLIST.replace("nand b stack", "nand a stack").replace("stack a gnd", "stack b gnd")
WIDER = NETLIST.replace("M6 y nand vdd vdd pfet w=0.4u", "M6 y nand vdd vdd pfet w=0.6u")
ONE_LESS = "".join(line for line in NETLIST.splitlines(keepends=True) if not line.startswith("M6"))
EXTRA_PIN = NETLIST.replace("and2 a b y", "and2 a b y extra")


@pytest.mark.parametrize(
    ("netlist", "row"),
    [
        pytest.param(SWAPPED_NET, ("net", "a_8_24#, a", "nand, a"), id="a gate on another net"),
        pytest.param(SWAPPED_PINS, ("pin", "a", "b"), id="two inputs swapped"),
        pytest.param(WIDER, ("property", "pfet1004: w=4e-7", "pfet6: w=6e-7"), id="a wider transistor"),
        pytest.param(ONE_LESS, ("devices", "pfet: 3", "pfet: 2"), id="a transistor too many"),
        pytest.param(EXTRA_PIN, ("pin", None, "extra"), id="a pin that the layout has not"),
    ],
)
def test_a_planted_difference_is_found_and_named(
    tmp_path: Path, netlist: str, row: tuple[str | None, ...]
) -> None:
    """Netgen's exit code is 0 for all of them, and its last line calls the second and third a match."""
    code, results = check(tmp_path, spice=netlist, checks="lvs")
    [task] = results.tasks
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert task.failure
    assert task.failure.signature == "layout and netlist differ"
    assert row in results.tables[0].rows


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(
            {"cell": CELL.replace("tech scmos", "tech sky130A")}, "sky130A", id="another technology"
        ),
        pytest.param({"cell": CELL.replace("<< metal1 >>", "<< metal99 >>")}, "metal99", id="unknown layer"),
        pytest.param(
            {"cell": with_cell("absent")},
            "absent",
            id="no cell",
        ),
        pytest.param({"cell": "nothing of Magic\n"}, "format error", id="no layout"),
        pytest.param({"spice": "* nothing\n.end\n"}, "Cannot find cell and2", id="no subcircuit"),
        pytest.param(
            {"sources": {"a.gds.b64": "!", "and2.spice": NETLIST}, "layout": "a.gds.b64"},
            "base64",
            id="base64",
        ),
        pytest.param(
            {"sources": {"a.gds.b64": "bm8gR0RT", "and2.spice": NETLIST}, "layout": "a.gds.b64"},
            "Error while reading",
            id="no GDS",
        ),
    ],
)
def test_a_layout_that_is_not_read_as_a_whole_is_no_clean_one(
    tmp_path: Path, raw: dict[str, str], words: str
) -> None:
    """Magic leaves out what it cannot read, ends with 0, and finds nothing wrong with the rest."""
    code, results = check(tmp_path, **raw)
    [task] = results.tasks
    assert (code, task.verdict) == (2, Verdict.FAIL)
    assert task.failure
    assert words in task.failure.line


@pytest.mark.parametrize("label", HOSTILE_LABELS)
def test_names_in_a_layout_are_read_as_names(tmp_path: Path, label: str) -> None:
    cell = CELL.replace("0 y\n", f"0 {label}\n")
    code, results = check(tmp_path, cell=cell)
    assert code in (1, 2), "the netlist has no such pin"
    assert results.tasks[0].verdict is Verdict.FAIL
    assert not [path for path in tmp_path.rglob("*") if "INJECTED" in path.name]


def test_a_cell_for_another_file_of_the_node_is_not_shown(tmp_path: Path) -> None:
    cell = with_cell("../../../../../../etc/passwd")
    code, results = check(tmp_path, cell=cell)
    assert code == 2
    assert "root:" not in json.dumps([str(results), (tmp_path / "logs/drc.log").read_text()])


@pytest.mark.parametrize(("second_ground", "code"), [("g", 0), ("g2", 1)])
def test_cells_in_cells_are_compared_and_the_substrate_joins_their_grounds(
    tmp_path: Path, second_ground: str, code: int
) -> None:
    places = "".join(
        f"use and2 and2_{number}\ntimestamp 1\ntransform 1 0 {100 * number} 0 1 0\nbox -6 -16 50 44\n"
        for number in (0, 1)
    )
    pair = f"magic\ntech scmos\ntimestamp 1\n<< metal1 >>\nrect 44 10 102 13\n{places}<< end >>\n"
    netlist = f"{NETLIST}.subckt pair\nX1 a b mid v g and2\nX2 mid d y v2 {second_ground} and2\n.ends\n"
    sources = {"pair.mag": pair, "and2.mag": CELL, "pair.spice": netlist}
    raw = {"layout": "pair.mag", "top": "pair", "netlist": "pair.spice", "checks": "lvs"}
    ended, results = check(tmp_path, sources=sources, **raw)
    assert ended == code
    assert (("nets", "8", "9") in [row for table in results.tables for row in table.rows]) == (code == 1)


def test_a_layout_of_place_and_route_is_checked_by_its_cells_pins(tmp_path: Path) -> None:
    layout = """VERSION 5.6 ;
NAMESCASESENSITIVE ON ;
DIVIDERCHAR "/" ;
BUSBITCHARS "<>" ;
DESIGN pair ;
UNITS DISTANCE MICRONS 100 ;
DIEAREA ( 0 0 ) ( 400 1000 ) ;
COMPONENTS 2 ;
- INVX1_1 INVX1 + PLACED ( 0 0 ) N ;
- INVX1_2 INVX1 + PLACED ( 160 0 ) N ;
END COMPONENTS
END DESIGN
"""
    netlist = f".include {TECHNOLOGY}/osu018_stdcells.sp\n.subckt pair\n"
    netlist += "X1 a y vdd gnd INVX1\nX2 b z vdd gnd INVX1\n.ends\n"
    sources = {"pair.def": layout, "pair.sp": netlist}
    code, results = check(
        tmp_path, top="pair", checks="lvs", sources=sources, layout="pair.def", netlist="pair.sp"
    )
    assert (code, results.tasks[0].verdict) == (0, Verdict.PASS)
    assert values(results)["design__device__count"] == 2


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "mkdir", "rm", "mv", "magic", "awk", "base64"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    params = TEMPLATE.validate({})
    spec = TEMPLATE.render(params)
    prepare(tmp_path / "job", spec)
    assert run_task(tmp_path / "job", spec, path=str(tools)).exit_code == 127
    [task] = TEMPLATE.parse(tmp_path / "job", params).tasks
    assert task.failure
    assert task.failure.signature == "tool missing: netgen-lvs"
