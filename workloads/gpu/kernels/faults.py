"""Single stuck-at faults of a circuit, with those that no pattern can tell apart taken as one."""

from collections import Counter
from dataclasses import dataclass

from workloads.gpu.kernels.logic import Circuit


@dataclass(frozen=True, order=True)
class Fault:
    """A net, or one branch of it, that is always `value`."""

    gate: int
    """Whose input it is, as an index of the circuit's gates; -1 for the whole net."""
    place: int
    """Which of the gate's inputs; 0 for the whole net."""
    net: str
    value: int

    def named(self, circuit: Circuit) -> str:
        """As people write it: `U3/A stuck-at-1`."""
        gate = circuit.gates[self.gate] if self.gate >= 0 else None
        where = f"{gate.name.rpartition('/')[0]}/{gate.pins[self.place]}" if gate else self.net
        return f"{where} stuck-at-{self.value}"


@dataclass(frozen=True)
class FaultList:
    """All faults, and one for each class of equivalent ones."""

    total: int
    classes: tuple[Fault, ...]
    """The representative of each class: the one nearest to the outputs."""
    sizes: tuple[int, ...]


def list_faults(circuit: Circuit) -> FaultList:
    """Two for each net, and two for each branch of a net that leads to several places.

    Equivalent are an input's and an output's fault of a gate when the one fixes the other (E. J. McCluskey
    and F. W. Clegg, IEEE Trans. Computers C-20 (1971) 1286), also through chains of gates; other
    equivalences are not looked for.
    """
    readers = Counter(net for gate in circuit.gates for net in gate.inputs) + Counter(circuit.observed)
    nets = [*circuit.inputs, *(gate.output for gate in circuit.gates)]
    stems = [Fault(-1, 0, net, value) for net in nets if readers[net] for value in (0, 1)]
    rank = {net: index for index, net in enumerate(nets)}
    parent: dict[Fault, Fault] = {fault: fault for fault in stems}
    for index, gate in enumerate(circuit.gates):
        for place, net in enumerate(gate.inputs):
            if net not in rank:
                continue
            is_branch = readers[net] > 1
            for value in (0, 1):
                fault = Fault(index, place, net, value) if is_branch else Fault(-1, 0, net, value)
                parent.setdefault(fault, fault)
                fixed = gate.function.constant_with(place, value, len(gate.inputs))
                output = Fault(-1, 0, gate.output, fixed or 0)
                if fixed is not None and output in parent:
                    parent[_root(parent, fault)] = _root(parent, output)
    members = Counter(_root(parent, fault) for fault in parent)
    # Neighbours in this order share most of what they disturb.
    ordered = sorted(members, key=lambda one: (_place(one, circuit, rank), one))
    return FaultList(len(parent), tuple(ordered), tuple(members[fault] for fault in ordered))


def _place(fault: Fault, circuit: Circuit, rank: dict[str, int]) -> int:
    return rank[circuit.gates[fault.gate].output if fault.gate >= 0 else fault.net]


def _root(parent: dict[Fault, Fault], fault: Fault) -> Fault:
    while parent[fault] != fault:
        parent[fault] = parent[parent[fault]]
        fault = parent[fault]
    return fault
