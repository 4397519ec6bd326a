"""The cells that a characterisation asks for, with the ports of their .subckt lines. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workloads.eda.characterisation_function import Function, read_function
from workloads.eda.characterisation_parameters import CharacterisationParameters, cell_parts

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


def problem_of_ports(params: CharacterisationParameters, cell: Cell, ports: tuple[str, ...] | None) -> str:
    """Why the cell's ports do not fit its function; empty when they do."""
    if ports is None:
        return f"no file has a .subckt {cell.name}"
    powers = {name.lower() for name in (*params.supply_ports, *params.ground_ports)}
    signals = {name.lower() for name in (*cell.function.inputs, cell.output)}
    if unknown := [port for port in ports if port not in powers | signals]:
        return f"the port {unknown[0]} of {cell.name} is no input, output, supply or ground"
    if lacking := sorted(signals - set(ports)):
        return f"{cell.name} has no port {lacking[0]}"
    return ""
