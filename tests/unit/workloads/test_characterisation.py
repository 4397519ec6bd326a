"""The characterisation template: functions and arcs, decks, what it refuses, which numbers it believes."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.characterisation import Characterisation
from workloads.eda.characterisation_cells import read_ports
from workloads.eda.characterisation_function import read_function
from workloads.errors import InvalidParameters
from workloads.template import Verdict

TEMPLATE = Characterisation()
ONE = {"cells": ["inv_x1 y=!a"], "slews_ns": [0.01, 0.1], "loads_pf": [0.001, 0.01]}


def files(**raw: Any) -> dict[str, str]:  # noqa: ANN401 - as untyped as a form
    return {one.path: one.content for one in TEMPLATE.render(TEMPLATE.validate(raw)).inputs}


def measured(workspace: Path, facts: dict[str, Any], **changes: str) -> Path:
    for folder in ("results", "measures"):
        (workspace / folder).mkdir(exist_ok=True)
    values = {"cap": "3e-15"}
    for place in ("0_0", "0_1", "1_0", "1_1"):
        for edge in (1, 2):
            values |= {f"d{edge}_{place}": "2e-11", f"s{edge}_{place}": "4e-11", f"e{edge}_{place}": "1.2"}
    values |= changes
    (workspace / "measures/0.txt").write_text(
        "".join(f"0 {name} {value}\n" for name, value in values.items())
    )
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    return workspace


@pytest.mark.parametrize(
    ("text", "arcs"),
    [
        ("!A", [("A", "", True)]),
        ("A & B", [("A", "B", False), ("B", "A", False)]),
        ("!(A|B)", [("A", "!B", True), ("B", "!A", True)]),
        ("A ^ B", [("A", "!B", False), ("A", "B", True), ("B", "!A", False), ("B", "A", True)]),
        (
            "!((a & b) | c)",
            [("a", "b & !c", True), ("b", "a & !c", True)]
            + [("c", others, True) for others in ("!a & !b", "!a & b", "a & !b")],
        ),
        ("A | B & !C ^ D", None),
    ],
)
def test_every_assignment_that_lets_an_input_through_is_an_arc(
    text: str, arcs: list[tuple[str, str, bool]] | None
) -> None:
    function = read_function(text)
    found = [(arc.input, arc.when, arc.inverts) for arc in function.arcs()]
    if arcs is not None:
        assert found == arcs
    else:
        values = [
            dict(zip("ABCD", map(bool, bits), strict=True))
            for bits in ((0, 1, 0, 1), (0, 1, 0, 0), (1, 0, 0, 0))
        ]
        assert [function.evaluate(one) for one in values] == [False, True, True], "& before ^ before |"


@pytest.mark.parametrize("text", ["", "A &", "(A", "A)", "A B", "!!", "A + B", "A'", "((((((((((" * 10])
def test_what_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        read_function(text)


def test_ports_are_read_over_continued_lines_and_without_parameters() -> None:
    text = ".SUBCKT NAND2 A B\n+ Y VDD GND w=1u\n.ends\n.subckt buf a y params: x=1\n"
    assert read_ports([text]) == {"nand2": ("a", "b", "y", "vdd", "gnd"), "buf": ("a", "y")}


def test_a_deck_wires_ports_in_the_order_of_the_netlist_and_measures_both_edges() -> None:
    lines = files(**ONE, supply_ports=["vdd"])["characterisation/0-0.cir"].splitlines()
    assert "x1_0 in1 out1_0 char_supply 0 inv_x1" in lines
    assert "cl1_0 out1_0 0 0.001p" in lines
    delays = [line for line in lines if line.startswith(".meas tran d")]
    assert delays[0].endswith("val=0.6 rise=1 targ v(out0_0) val=0.6 fall=1")
    assert delays[1].endswith("val=0.6 fall=1 targ v(out0_0) val=0.6 rise=1")
    nand = files()["characterisation/2-0.cir"]
    assert "x0_0 in0 char_supply out0_0 char_supply 0 nand2_x1" in nand, "b is high while a toggles"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"cells": ["nor2_x1 y=!(a|b)"]}, "cells.0"),
        ({"cells": ["inv_x1 y=!b"]}, "cells.0"),
        ({"cells": ["nand2_x1 y=!a"]}, "cells.0"),
        ({"cells": ["nand2_x1 y=!(a & b) | (a & b)"]}, "cells.0"),
        ({"cells": ["inv_x1 y=!a", "INV_X1 y=!a"]}, "cells"),
        ({"cells": ["inv_x1 y=y"]}, "cells.0"),
        ({"cells": ["inv_x1 y=!a\n.control"]}, "cells.0"),
        ({"slews_ns": [0.1, 0.1]}, "slews_ns"),
        ({"loads_pf": [0.1, 0.05]}, "loads_pf"),
        ({"window_ns": 0.1}, "window_ns"),
        ({"netlist": "other.sp"}, "netlist"),
        ({"corner": 'tt"'}, "corner"),
        ({"voltage": 0}, "voltage"),
    ],
)
def test_what_cannot_be_characterised_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field


def test_a_cell_tells_its_capacitances_and_the_range_of_its_tables(tmp_path: Path) -> None:
    results = TEMPLATE.parse(measured(tmp_path, {"exit_code": 0}, d2_1_1="5e-11"), TEMPLATE.validate(ONE))
    values = {metric.name: metric.value for metric in results.tasks[0].metrics}
    assert values["capacitance__pin:a"] == pytest.approx(0.003)
    assert (values["delay__min"], values["delay__max"]) == pytest.approx((0.02, 0.05))
    last = results.tables[1].rows[-1]
    assert last[:-4] == ("inv_x1", "a", "", "rise")
    assert last[-4:] == pytest.approx((0.02, 0.05, 0.04, 0.04))


@pytest.mark.parametrize(
    "wrong", [{"s1_0_0": "-1e-12"}, {"s2_1_0": "1"}, {"d1_0_0": "nan"}, {"d1_0_0": "1e-8"}, {"cap": "0"}]
)
def test_numbers_that_cannot_be_true_are_no_verdict_and_not_shown(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    results = TEMPLATE.parse(measured(tmp_path, {"exit_code": 0}, **wrong), TEMPLATE.validate(ONE))
    assert results.tasks[0].verdict is Verdict.NO_VERDICT
    assert not results.tables
