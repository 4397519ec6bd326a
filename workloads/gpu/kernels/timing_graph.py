"""A netlist and its library as levels of driving stages with their nominal delays: static timing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.levelize import Stage, levelize
from workloads.gpu.kernels.liberty import Arc, Cell, Pin
from workloads.gpu.kernels.netlist import ASSIGN, ONE, ZERO, Instance, Netlist

NEVER, START = 0, 1
"""The two nets that no cell drives: one that never changes, and time zero at inputs and clock pins."""


@dataclass(frozen=True)
class Level:
    """Stages that wait for none of each other. A row is a stage; rows are padded with NEVER."""

    outputs: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    delays_ns: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Endpoint:
    """Where a path ends: an output, or the data pin of a flip-flop."""

    name: str
    net: int
    setup_ns: float


@dataclass(frozen=True)
class TimingGraph:
    """What Monte-Carlo timing computes on; nets are numbers."""

    nets: int
    levels: tuple[Level, ...]
    endpoints: tuple[Endpoint, ...]
    nominal_ns: float
    """Arrival of the latest endpoint, set-up included, without any variation."""

    @property
    def stages(self) -> int:
        """Driving cell outputs."""
        return sum(len(level.outputs) for level in self.levels)


def build_timing_graph(
    netlist: Netlist,
    library: Mapping[str, Cell],
    *,
    input_slew_ns: float,
    wire_capacitance_pf: float,
    output_load_pf: float,
) -> TimingGraph:
    """Loads from the pins that a net drives, plus a wire's capacitance for each; slews level by level.

    Of rise and fall, and of conditional arcs, the slowest counts. Clocks are ideal: they reach every
    flip-flop at time zero.

    Raises:
        DesignError: a cell is not in the library, a net has no driver or two, or stages form a loop.
    """
    nets = {NEVER: NEVER, START: START}
    loads = _loads(netlist, library, wire_capacitance_pf, output_load_pf)
    timed = levelize([stage for one in netlist.instances for stage in _stages(one, library)], netlist.inputs)
    number: dict[str, int] = {ZERO: NEVER, ONE: NEVER} | dict.fromkeys(netlist.inputs, START)
    slews, arrivals = {NEVER: input_slew_ns, START: input_slew_ns}, {NEVER: float("-inf"), START: 0.0}
    levels = []
    for stages in timed:
        rows = []
        for stage in stages:
            net = number[stage.output] = len(nets)
            nets[net] = net
            sources = tuple(START if name is None else number[name] for name in stage.inputs)
            arcs = _arcs_of(stage, library)
            load = loads.get(stage.output, 0.0)
            delays = tuple(
                max((table.at(slews[source], load) for table in arc.delays), default=0.0)
                for source, arc in zip(sources, arcs, strict=True)
            )
            slews[net] = max(
                (
                    table.at(slews[source], load)
                    for source, arc in zip(sources, arcs, strict=True)
                    for table in arc.transitions
                ),
                default=max((slews[source] for source in sources), default=input_slew_ns),
            )
            arrivals[net] = max(
                (arrivals[source] + delay for source, delay in zip(sources, delays, strict=True)),
                default=float("-inf"),
            )
            rows.append((net, sources, delays))
        levels.append(_level(rows))
    endpoints = tuple(_endpoints(netlist, library, number))
    reached = [arrivals[one.net] + one.setup_ns for one in endpoints if arrivals[one.net] >= 0]
    if not reached:
        raise DesignError("no path leads to an output or a flip-flop")
    return TimingGraph(len(nets), tuple(levels), endpoints, max(reached))


def _stages(instance: Instance, library: Mapping[str, Cell]) -> list[Stage]:
    """One stage for each connected output; a flip-flop starts at its clock, whatever drives that."""
    if instance.cell == ASSIGN:
        return [Stage(instance, "Y", instance.pins["Y"], (instance.pins["A0"],))]
    cell = _cell(instance, library)
    found = []
    for pin in cell.pins.values():
        if not pin.is_output or pin.name not in instance.pins:
            continue
        related = [arc.related_pin for arc in pin.arcs if arc.related_pin in instance.pins]
        inputs = (None,) if cell.is_sequential else tuple(instance.pins[name] for name in related)
        found.append(Stage(instance, pin.name, instance.pins[pin.name], inputs))
    return found


def _arcs_of(stage: Stage, library: Mapping[str, Cell]) -> list[Arc]:
    instance = stage.instance
    if instance.cell == ASSIGN:
        return [Arc("A0", (), ())]
    cell = library[instance.cell]
    arcs = cell.pins[stage.pin].arcs
    if not cell.is_sequential:
        return [arc for arc in arcs if arc.related_pin in instance.pins]
    delays = tuple(table for arc in arcs for table in arc.delays)
    return [Arc("", delays, tuple(table for arc in arcs for table in arc.transitions))]


def _loads(
    netlist: Netlist, library: Mapping[str, Cell], wire_pf: float, output_pf: float
) -> dict[str, float]:
    loads = dict.fromkeys(netlist.outputs, output_pf + wire_pf)
    for instance in netlist.instances:
        pins = {} if instance.cell == ASSIGN else _cell(instance, library).pins
        for name, net in instance.pins.items():
            pin = pins.get(name)
            if pin is not None and not pin.is_output:
                loads[net] = loads.get(net, 0.0) + pin.capacitance + wire_pf
    return loads


def _endpoints(netlist: Netlist, library: Mapping[str, Cell], number: Mapping[str, int]) -> list[Endpoint]:
    found = [Endpoint(name, _driven(number, name), 0.0) for name in netlist.outputs]
    for instance in netlist.instances:
        if instance.cell == ASSIGN or not library[instance.cell].is_sequential:
            continue
        found += [
            Endpoint(f"{instance.name}/{pin.name}", _driven(number, instance.pins[pin.name]), pin.setup_ns)
            for pin in _data_pins(library[instance.cell], instance)
        ]
    return found


def _data_pins(cell: Cell, instance: Instance) -> Sequence[Pin]:
    clocks = {arc.related_pin for pin in cell.pins.values() for arc in pin.arcs}
    return [
        pin
        for pin in cell.pins.values()
        if not (pin.is_output or pin.is_clock or pin.name in clocks) and pin.name in instance.pins
    ]


def _driven(number: Mapping[str, int], net: str) -> int:
    if net not in number:
        raise DesignError(f"the net {net} has no driver")
    return number[net]


def _cell(instance: Instance, library: Mapping[str, Cell]) -> Cell:
    if instance.cell not in library:
        raise DesignError(f"the cell {instance.cell} is not in the library", line=instance.line)
    cell = library[instance.cell]
    for pin in instance.pins:
        if pin not in cell.pins:
            raise DesignError(f"the cell {instance.cell} has no pin {pin}", line=instance.line)
    return cell


def _level(rows: Sequence[tuple[int, tuple[int, ...], tuple[float, ...]]]) -> Level:
    width = max(1, *(len(sources) for _, sources, _ in rows)) if rows else 1
    return Level(
        outputs=tuple(net for net, _, _ in rows),
        sources=tuple(sources + (NEVER,) * (width - len(sources)) for _, sources, _ in rows),
        delays_ns=tuple(delays + (0.0,) * (width - len(delays)) for _, _, delays in rows),
    )
