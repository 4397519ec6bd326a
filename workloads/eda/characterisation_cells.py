"""The cells that a characterisation asks for, with the ports of their .subckt lines. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workloads.eda.characterisation_function import Function, read_function
from workloads.eda.characterisation_parameters import CharacterisationParameters, cell_parts
from workloads.errors import FieldProblem, field_problem
from workloads.template import N_

_SUBCKT = re.compile(r"^\s*\.subckt\s+(\S+)(.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One task."""

    index: int
    name: str
    output: str
    function: Function


def cells_of(params: CharacterisationParameters) -> list[Cell]:
    """Those of the form, in its order."""
    parts = [cell_parts(text) for text in params.cells]
    return [
        Cell(index, name, output, read_function(function))
        for index, (name, output, function) in enumerate(parts)
    ]


def read_ports(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Ports of each .subckt, both in lower case as SPICE reads them; parameters of a .subckt are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        joined = re.sub(r"\r?\n\+", " ", text)
        for line in joined.split("\n"):
            if match := _SUBCKT.match(line):
                words = re.split(r"\s+(?:params:|\S+\s*=)", match[2].lower(), maxsplit=1)[0].split()
                found.setdefault(match[1].lower(), tuple(words))
    return found


def problems_of_ports(
    params: CharacterisationParameters, cell: Cell, ports: tuple[str, ...] | None
) -> Iterator[FieldProblem]:
    """Why the cell's ports do not fit its function."""
    field = f"cells.{cell.index}"
    if ports is None:
        yield field_problem(field, "ports", N_("No file has a .subckt %(cell)s."), cell=cell.name)
        return
    powers = {name.lower() for name in (*params.supply_ports, *params.ground_ports)}
    signals = {name.lower() for name in (*cell.function.inputs, cell.output)}
    for port in ports:
        if port not in powers | signals:
            text = N_("The port %(port)s of %(cell)s is no input, output, supply or ground.")
            yield field_problem(field, "ports", text, port=port[:100], cell=cell.name)
    for port in sorted(signals - set(ports)):
        text = N_("%(cell)s has no port %(port)s.")
        yield field_problem(field, "ports", text, cell=cell.name, port=port)
