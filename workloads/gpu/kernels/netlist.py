"""A flat gate-level netlist, read from structural Verilog: what synthesis tools write."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.verilog_tokens import Tokens

ZERO, ONE = "1'b0", "1'b1"
"""The constant nets; x and z count as 0."""
PRIMITIVES = ("and", "nand", "or", "nor", "xor", "xnor", "buf", "not")
ASSIGN = "assign"
"""The cell name of what `assign a = b;` stands for: a buffer without delay."""
_MOST_BITS = 1_000_000


@dataclass(frozen=True)
class Instance:
    """A cell in its place. Primitives and assignments have the output pin Y and the inputs A0, A1, ..."""

    name: str
    cell: str
    pins: Mapping[str, str]
    """Net by pin; unconnected pins are left out."""
    line: int


@dataclass(frozen=True)
class Netlist:
    """One module without hierarchy. Every name is a single bit: `bus[3]`."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instances: tuple[Instance, ...]


def read_netlist(text: str) -> Netlist:
    """The only module in the text.

    Raises:
        DesignError: it is no flat structural Verilog.
    """
    tokens = Tokens(text)
    tokens.expect("module")
    module = _Module(tokens, tokens.name())
    if not tokens.accept(";"):
        module.read_ports()
        tokens.expect(";")
    while not tokens.accept("endmodule"):
        module.read_item()
    if not tokens.is_at_end:
        raise DesignError("only one module can be read; flatten the design first", line=tokens.line)
    return Netlist(module.name, tuple(module.inputs), tuple(module.outputs), tuple(module.instances))


@dataclass
class _Module:
    tokens: Tokens
    name: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    ranges: dict[str, range] = field(default_factory=dict)
    """Of vectors: their indices, most significant first."""
    bits: int = 0

    def read_ports(self) -> None:
        """`(a, b)` or, with directions, `(input a, output [3:0] b)`."""
        tokens, kind, indices = self.tokens, "", None
        tokens.expect("(")
        while not tokens.accept(")"):
            if tokens.peek() in ("input", "output"):
                kind = tokens.take()
                self._skip_types()
                indices = self._range()
            name = tokens.name()
            if kind:
                self._declare(kind, name, indices)
            if tokens.peek() != ")":
                tokens.expect(",")

    def read_item(self) -> None:
        """One declaration, assignment or row of instances, with its semicolon."""
        tokens = self.tokens
        if tokens.peek() in ("input", "output", "wire", "tri", "supply0", "supply1"):
            self._read_declaration(tokens.take())
        elif tokens.accept("assign"):
            left = self._expression()
            tokens.expect("=")
            self._assign(left, self._expression())
            tokens.expect(";")
        else:
            self._read_instances()

    def _read_declaration(self, kind: str) -> None:
        self._skip_types()
        indices = self._range()
        while True:
            name = self.tokens.name()
            self._declare(kind, name, indices)
            if self.tokens.accept("="):
                self._assign(self._bits_of(name), self._expression())
            if self.tokens.accept(";"):
                return
            self.tokens.expect(",")

    def _skip_types(self) -> None:
        while self.tokens.peek() in ("wire", "logic", "signed"):
            self.tokens.take()

    def _declare(self, kind: str, name: str, indices: range | None) -> None:
        if indices is not None:
            self.ranges[name] = indices
        bits = self._bits_of(name)
        if kind in ("input", "output"):
            known = self.inputs if kind == "input" else self.outputs
            known.extend(bit for bit in bits if indices is None or bit not in known)
        elif kind.startswith("supply"):
            self._assign(bits, [f"1'b{kind[-1]}"] * len(bits))

    def _range(self) -> range | None:
        if not self.tokens.accept("["):
            return None
        high = self.tokens.integer()
        self.tokens.expect(":")
        low = self.tokens.integer()
        self.tokens.expect("]")
        self.bits += abs(high - low) + 1
        if self.bits > _MOST_BITS:
            raise DesignError(f"more than {_MOST_BITS} bits", line=self.tokens.line)
        return range(high, low - 1, -1) if high >= low else range(high, low + 1)

    def _read_instances(self) -> None:
        tokens, line = self.tokens, self.tokens.line
        cell = tokens.name()
        while True:
            name = tokens.name() if tokens.peek() != "(" else f"{cell}@{line}"
            tokens.expect("(")
            if cell in PRIMITIVES:
                self._primitive(name, cell, line)
            else:
                self.instances.append(Instance(name, cell, self._connections(), line))
            if tokens.accept(";"):
                return
            tokens.expect(",")

    def _primitive(self, name: str, cell: str, line: int) -> None:
        bits = [self._bit()]
        while self.tokens.accept(","):
            bits.append(self._bit())
        self.tokens.expect(")")
        if len(bits) < 2:  # noqa: PLR2004 - an output and an input
            raise DesignError(f"{cell} {name} needs an output and an input", line=line)
        outputs = bits[:-1] if cell in ("buf", "not") else bits[:1]
        inputs = {f"A{index}": bit for index, bit in enumerate(bits[len(outputs) :])}
        self.instances.extend(Instance(name, cell, {"Y": output, **inputs}, line) for output in outputs)

    def _connections(self) -> dict[str, str]:
        tokens, pins = self.tokens, {}
        while not tokens.accept(")"):
            tokens.expect(".")
            pin = tokens.name()
            tokens.expect("(")
            if not tokens.accept(")"):
                pins[pin] = self._bit()
                tokens.expect(")")
            if tokens.peek() != ")":
                tokens.expect(",")
        return pins

    def _bit(self) -> str:
        bits = self._expression()
        if len(bits) != 1:
            raise DesignError(f"{len(bits)} bits where one must stand", line=self.tokens.line)
        return bits[0]

    def _assign(self, left: list[str], right: list[str]) -> None:
        line = self.tokens.line
        if len(left) != len(right):
            raise DesignError(f"{len(right)} bits are assigned to {len(left)}", line=line)
        self.instances.extend(
            Instance(f"{ASSIGN}@{line}", ASSIGN, {"Y": to, "A0": source}, line)
            for to, source in zip(left, right, strict=True)
        )

    def _expression(self) -> list[str]:
        """Its bits, most significant first."""
        tokens = self.tokens
        if tokens.accept("{"):
            bits = self._expression()
            while tokens.accept(","):
                bits += self._expression()
            tokens.expect("}")
            return bits
        if re.match(r"\d", tokens.peek()):
            return _constant(tokens.take(), tokens.line)
        name = tokens.name()
        if not tokens.accept("["):
            return self._bits_of(name)
        first = last = tokens.integer()
        if tokens.accept(":"):
            last = tokens.integer()
        tokens.expect("]")
        step = -1 if first >= last else 1
        chosen = range(first, last + step, step)
        known = self.ranges.get(name, range(0))
        if first not in known or last not in known:
            raise DesignError(f"{name}[{first}:{last}] is outside what is declared", line=tokens.line)
        return [f"{name}[{index}]" for index in chosen]

    def _bits_of(self, name: str) -> list[str]:
        indices = self.ranges.get(name)
        return [name] if indices is None else [f"{name}[{index}]" for index in indices]


def _constant(text: str, line: int) -> list[str]:
    match = re.fullmatch(r"(\d{1,4})'[sS]?([bBhHdD])([0-9a-fA-FxXzZ_]+)", text)
    if match is None:
        raise DesignError(f"{text!r} is no sized constant", line=line)
    digits = re.sub("[xXzZ]", "0", match[3].replace("_", ""))
    try:
        value = int(digits, {"b": 2, "h": 16, "d": 10}[match[2].lower()])
    except ValueError:
        raise DesignError(f"{text!r} is no constant", line=line) from None
    return [ONE if value >> index & 1 else ZERO for index in reversed(range(int(match[1])))]
