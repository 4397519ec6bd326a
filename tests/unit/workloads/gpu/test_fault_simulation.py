"""Stuck-at fault simulation against brute force, and against counts that are known to be exact."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.unit.workloads.gpu.designs import C17
from workloads.gpu.kernels.boolean import read_function
from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.fault_simulation import random_patterns, simulate_faults, simulate_good
from workloads.gpu.kernels.faults import Fault, list_faults
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.logic import Circuit, build_circuit
from workloads.gpu.kernels.netlist import read_netlist

C432 = Path(__file__).parent / "netlists/c432.v"


def circuit(verilog: str) -> Circuit:
    return build_circuit(read_netlist(verilog), {})


def outputs(found: Circuit, inputs: Mapping[str, int], fault: Fault | None) -> list[int]:
    """One pattern at a time, on plain whole numbers."""

    def stuck(value: int, net: str) -> int:
        whole_net = fault is not None and fault.gate < 0 and fault.net == net
        return fault.value if whole_net and fault else value

    values = {net: stuck(value, net) for net, value in inputs.items()}
    for index, gate in enumerate(found.gates):
        ins = [values[net] for net in gate.inputs]
        if fault is not None and fault.gate == index:
            ins[fault.place] = fault.value
        values[gate.output] = stuck(gate.function.of(ins, 1) & 1, gate.output)
    return [values[net] for net in found.observed]


def test_c17_has_34_faults_in_22_classes_and_all_are_detected() -> None:
    c17 = circuit(C17)
    faults = list_faults(c17)
    assert (faults.total, len(faults.classes), sum(faults.sizes)) == (34, 22, 34)
    found = simulate_faults(np, c17, faults.classes, random_patterns(c17, 32, 1), memory_bytes=2**20)
    assert None not in found


def test_the_first_pattern_that_shows_a_fault_is_that_of_brute_force() -> None:
    c17 = circuit(C17)
    faults = list_faults(c17).classes
    patterns = random_patterns(c17, 32, 1)
    bits = np.unpackbits(patterns.view(np.uint8), axis=1, bitorder="little")
    assert {tuple(column) for column in bits.T} == set(product((0, 1), repeat=5)), "exhaustive"
    expected = []
    for fault in faults:
        shows = (
            index
            for index, column in enumerate(bits.T)
            for given in [dict(zip(c17.inputs, map(int, column), strict=True))]
            if outputs(c17, given, None) != outputs(c17, given, fault)
        )
        expected.append(next(shows, None))
    for memory in (1, 2**20):
        assert simulate_faults(np, c17, faults, patterns, memory_bytes=memory) == expected


def test_c432_reaches_its_exact_maximum_of_520_of_524() -> None:
    """The other four were proved redundant by a SAT solver."""
    c432 = circuit(C432.read_text())
    faults = list_faults(c432)
    patterns = random_patterns(c432, 16_384, 1)
    found = simulate_faults(np, c432, faults.classes, patterns, memory_bytes=32 * 2**20)
    assert (len(faults.classes), sum(one is not None for one in found)) == (524, 520)


def test_a_redundant_fault_is_never_seen() -> None:
    """y = a or (a and b): the and-gate changes nothing."""
    found = circuit("module m(input a, b, output y); wire n; and (n, a, b); or (y, a, n); endmodule")
    faults = list_faults(found).classes
    seen = simulate_faults(np, found, faults, random_patterns(found, 4, 1), memory_bytes=2**20)
    unseen = {fault.named(found) for fault, one in zip(faults, seen, strict=True) if one is None}
    assert unseen, "n stuck-at-0 leaves y = a"
    assert all("stuck-at" in name for name in unseen)


def test_an_adder_of_library_cells_adds() -> None:
    full_adder = """module fa(input a, b, c, output s, co);
      FA u (.A(a), .B(b), .C(c), .S(s), .CO(co)); endmodule"""
    library = read_library(
        "library (l) { cell (FA) { pin (A) { direction : input; } pin (B) { direction : input; }"
        ' pin (C) { direction : input; } pin (S) { direction : output; function : "A ^ B ^ C"; }'
        ' pin (CO) { direction : output; function : "(A B) + C & (A | B)"; } } }'
    )
    found = build_circuit(read_netlist(full_adder), library)
    patterns = random_patterns(found, 8, 1)
    values = simulate_good(np, found, patterns)
    bits = {net: np.unpackbits(word.view(np.uint8), bitorder="little") for net, word in values.items()}
    assert (bits["a"] + bits["b"] + bits["c"] == bits["s"] + 2 * bits["co"]).all()


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("!(A B)", "1110"),
        ("(A*B)'", "1110"),
        ("A' + B", "1101"),
        ("A ^ B", "0110"),
        ("!A ^ B & 1", "1001"),
        ("A + B ^ A", "0111"),
        ("0", "0000"),
        ("1", "1111"),
    ],
)
def test_liberty_s_notation_of_functions(text: str, table: str) -> None:
    function = read_function(text, ["A", "B"])
    rows = list(product((0, 1), repeat=2))
    assert "".join(str(function.of(row, 1) & 1) for row in rows) == table
    in_c = function.in_c(["a", "b"]).replace("ull", "")  # else it is Python, too
    assert "".join(str(eval(in_c, {"a": a, "b": b}) & 1) for a, b in rows) == table  # noqa: S307 - our own


@pytest.mark.parametrize("text", ["", "A +", "(A", "A)", "C", "A $ B", "(" * 100 + "A" + ")" * 100])
def test_what_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(DesignError, match="no boolean function"):
        read_function(text, ["A", "B"])
