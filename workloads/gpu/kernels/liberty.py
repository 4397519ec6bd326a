"""The part of a Liberty library that timing and fault simulation need: pins, functions, delays, set-up."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.liberty_text import Group, read_liberty
from workloads.gpu.kernels.tables import Table, linear

_NOT_A_DELAY = (
    "hold",
    "setup",
    "recovery",
    "removal",
    "preset",
    "clear",
    "skew",
    "non_seq",
    "min_",
    "three_",
)
_SECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
_FARADS = {"ff": 1e-3, "pf": 1.0, "nf": 1e3}
_MOST_CELLS = 20_000


@dataclass(frozen=True)
class Arc:
    """How a change at one input reaches an output; rise and fall, and every condition, side by side."""

    related_pin: str
    delays: tuple[Table, ...]
    transitions: tuple[Table, ...]


@dataclass(frozen=True)
class Pin:
    """A pin of a cell."""

    name: str
    is_output: bool
    capacitance: float
    """pF."""
    function: str = ""
    """In Liberty's notation; empty at inputs and in sequential cells."""
    is_clock: bool = False
    setup_ns: float = 0.0
    arcs: tuple[Arc, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A cell of the library."""

    name: str
    is_sequential: bool
    pins: Mapping[str, Pin]


@dataclass(frozen=True)
class _Units:
    time: float
    """ns."""
    capacitance: float
    """pF."""
    orders: Mapping[str, tuple[str, str]]
    """Of each table template: what its two axes are."""
    axes: Mapping[str, tuple[str, str]]
    """Of each table template: its default index_1 and index_2."""


def read_library(text: str) -> dict[str, Cell]:
    """The cells by name, in ns and pF.

    Raises:
        DesignError: what the text says is no library, or a table in it is broken.
    """
    library = read_liberty(text)
    units = _units(library)
    cells = library.of("cell")
    if not 0 < len(cells) <= _MOST_CELLS:
        raise DesignError(f"the library has {len(cells)} cells; 1 to {_MOST_CELLS} can be used")
    return {cell.name: cell for cell in (_cell(group, units) for group in cells)}


def _units(library: Group) -> _Units:
    count, unit = library.lists.get("capacitive_load_unit", ("1", "pf"))[:2]
    time = re.fullmatch(r"(\d+)\s*(ps|ns|us)", library.attributes.get("time_unit", "1ns").lower())
    if time is None or unit.lower() not in _FARADS:
        raise DesignError("the library's time_unit or capacitive_load_unit cannot be read", line=library.line)
    templates = {group.arguments[0]: group for group in library.of("lu_table_template") if group.arguments}
    return _Units(
        time=int(time[1]) * _SECONDS[time[2]],
        capacitance=_number(count, library.line) * _FARADS[unit.lower()],
        orders={
            name: (one.attributes.get("variable_1", ""), one.attributes.get("variable_2", ""))
            for name, one in templates.items()
        },
        axes={name: (_list(one, "index_1"), _list(one, "index_2")) for name, one in templates.items()},
    )


def _cell(group: Group, units: _Units) -> Cell:
    is_sequential = bool(group.of("ff") or group.of("latch"))
    pins = {}
    for one in group.of("pin"):
        for name in one.arguments:
            pins[name] = _pin(one, name, units, is_sequential=is_sequential)
    return Cell(group.arguments[0] if group.arguments else "", is_sequential, pins)


def _pin(group: Group, name: str, units: _Units, *, is_sequential: bool) -> Pin:
    is_output = group.attributes.get("direction", "input").lower() != "input"
    return Pin(
        name=name,
        is_output=is_output,
        capacitance=_number(group.attributes.get("capacitance", "0"), group.line) * units.capacitance,
        function="" if is_sequential else group.attributes.get("function", ""),
        is_clock=group.attributes.get("clock", "false").lower() == "true",
        setup_ns=max((_setup(timing, units) for timing in group.of("timing")), default=0.0),
        arcs=tuple(_arcs(group, units)) if is_output else (),
    )


def _arcs(pin: Group, units: _Units) -> list[Arc]:
    found: dict[str, tuple[list[Table], list[Table]]] = {}
    for timing in pin.of("timing"):
        if timing.attributes.get("timing_type", "combinational").startswith(_NOT_A_DELAY):
            continue
        delays, transitions = _tables_of(timing, units)
        for related in timing.attributes.get("related_pin", "").split():
            into = found.setdefault(related, ([], []))
            into[0].extend(delays)
            into[1].extend(transitions)
    return [Arc(pin, tuple(delays), tuple(slews)) for pin, (delays, slews) in found.items() if delays]


def _tables_of(timing: Group, units: _Units) -> tuple[list[Table], list[Table]]:
    """Delays and output transitions, of both edges."""
    delays = [_table(one, units) for edge in ("cell_rise", "cell_fall") for one in timing.of(edge)]
    slews = [_table(one, units) for edge in ("rise_transition", "fall_transition") for one in timing.of(edge)]
    for edge in ("rise", "fall"):
        intrinsic = timing.attributes.get(f"intrinsic_{edge}")
        if intrinsic is not None:
            resistance = _number(timing.attributes.get(f"{edge}_resistance", "0"), timing.line)
            per_pf = resistance * units.time / units.capacitance
            delays.append(linear(_number(intrinsic, timing.line) * units.time, per_pf))
    return delays, slews


def _setup(timing: Group, units: _Units) -> float:
    """The set-up time at the table's middle, the larger of both edges."""
    if not timing.attributes.get("timing_type", "").startswith("setup"):
        return 0.0
    edges = ("rise_constraint", "fall_constraint")
    tables = [_table(one, units) for edge in edges for one in timing.of(edge)]
    middles = [table.values[len(table.values) // 2][len(table.values[0]) // 2] for table in tables]
    plain = [
        _number(timing.attributes[f"intrinsic_{edge}"], timing.line) * units.time
        for edge in ("rise", "fall")
        if f"intrinsic_{edge}" in timing.attributes
    ]
    return max([*middles, *plain, 0.0])


def _table(group: Group, units: _Units) -> Table:
    name = group.arguments[0] if group.arguments else "scalar"
    order, usual = units.orders.get(name, ("", "")), units.axes.get(name, ("", ""))
    first = _axis(_list(group, "index_1") or usual[0], group.line)
    second = _axis(_list(group, "index_2") or usual[1], group.line)
    flat = [
        _number(word, group.line) * units.time
        for row in group.lists.get("values", ())
        for word in _words(row)
    ]
    if len(flat) != len(first) * len(second):
        raise DesignError(
            f"a table has {len(flat)} values and needs {len(first)} x {len(second)}", line=group.line
        )
    rows = tuple(tuple(flat[at : at + len(second)]) for at in range(0, len(flat), len(second)))
    if "capacitance" in order[0]:
        first, second, rows = second, first, tuple(zip(*rows, strict=True))
    return Table(
        slews=tuple(value * units.time for value in first),
        loads=tuple(value * units.capacitance for value in second),
        values=rows,
    )


def _axis(text: str, line: int) -> tuple[float, ...]:
    axis = tuple(_number(word, line) for word in _words(text)) or (0.0,)
    if any(low >= high for low, high in pairwise(axis)):
        raise DesignError("a table's index does not rise", line=line)
    return axis


def _list(group: Group, name: str) -> str:
    return " ".join(group.lists.get(name, ()))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _number(text: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DesignError(f"{text!r} is no number", line=line)
    return value
