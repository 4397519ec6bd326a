"""A netlist as gates in topological order, with the outputs of flip-flops as inputs: full scan."""

from collections.abc import Mapping
from dataclasses import dataclass

from workloads.gpu.kernels.boolean import Function, primitive, read_function
from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.levelize import Stage, levelize
from workloads.gpu.kernels.liberty import Cell
from workloads.gpu.kernels.netlist import ASSIGN, ONE, PRIMITIVES, ZERO, Instance, Netlist


@dataclass(frozen=True)
class Gate:
    """A function of nets."""

    name: str
    """Instance and pin, such as U12/Y."""
    output: str
    pins: tuple[str, ...]
    inputs: tuple[str, ...]
    function: Function


@dataclass(frozen=True)
class Circuit:
    """What patterns are applied to."""

    inputs: tuple[str, ...]
    """Primary inputs, then the outputs of flip-flops."""
    gates: tuple[Gate, ...]
    """Each after all that drive it."""
    observed: tuple[str, ...]
    """Primary outputs, then what flip-flops would take in; each net once."""


def build_circuit(netlist: Netlist, library: Mapping[str, Cell]) -> Circuit:
    """Combinational logic between inputs, flip-flops and outputs.

    Raises:
        DesignError: a cell is unknown or has no function, a net has no driver or two, or gates form a loop.
    """
    gates: dict[str, Gate] = {}
    stages, scanned, observed = [], [], list(netlist.outputs)
    for instance in netlist.instances:
        cell = _cell(instance, library)
        if cell is not None and cell.is_sequential:
            for pin, net in instance.pins.items():
                if cell.pins[pin].is_output:
                    scanned.append(net)
                elif not cell.pins[pin].is_clock:
                    observed.append(net)
            continue
        for gate in _gates(instance, cell):
            gates[gate.output] = gate
            stages.append(Stage(instance, "", gate.output, gate.inputs))
    inputs = tuple(dict.fromkeys((*netlist.inputs, *scanned)))
    levels = levelize(stages, inputs)
    known = {ZERO, ONE, *inputs, *gates}
    lost = next((net for net in observed if net not in known), None)
    if lost is not None:
        raise DesignError(f"the net {lost} has no driver")
    ordered = tuple(gates[stage.output] for stages in levels for stage in stages)
    return Circuit(inputs, ordered, tuple(dict.fromkeys(observed)))


def _cell(instance: Instance, library: Mapping[str, Cell]) -> Cell | None:
    """None for what Verilog itself knows."""
    if instance.cell == ASSIGN or instance.cell in PRIMITIVES:
        return None
    if instance.cell not in library:
        raise DesignError(f"the cell {instance.cell} is not in the library", line=instance.line)
    cell = library[instance.cell]
    for pin in instance.pins:
        if pin not in cell.pins:
            raise DesignError(f"the cell {instance.cell} has no pin {pin}", line=instance.line)
    return cell


def _gates(instance: Instance, cell: Cell | None) -> list[Gate]:
    if cell is None:
        pins = tuple(pin for pin in instance.pins if pin != "Y")
        inputs = tuple(instance.pins[pin] for pin in pins)
        function = primitive(instance.cell, len(pins))
        return [Gate(f"{instance.name}/Y", instance.pins["Y"], pins, inputs, function)]
    pins = tuple(name for name, pin in cell.pins.items() if not pin.is_output)
    found = []
    for name, pin in cell.pins.items():
        if not pin.is_output or name not in instance.pins:
            continue
        if not pin.function:
            raise DesignError(f"the pin {name} of the cell {cell.name} has no function", line=instance.line)
        inputs = tuple(instance.pins.get(one, ZERO) for one in pins)
        function = read_function(pin.function, pins)
        found.append(Gate(f"{instance.name}/{name}", instance.pins[name], pins, inputs, function))
    return found
