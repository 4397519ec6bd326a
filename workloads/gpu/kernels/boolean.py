"""Boolean functions of cells, in Liberty's notation, evaluated on words of 64 patterns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import and_, or_, xor

from workloads.gpu.kernels.array_module import Array
from workloads.gpu.kernels.design_error import DesignError

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[()!'&*+|^])")
_OPERATIONS = {"and": and_, "or": or_, "xor": xor}
_MOST_INPUTS = 12
"""Truth tables have 2 to this power rows."""
_DEEPEST = 64


@dataclass(frozen=True)
class Function:
    """An operation on other functions, an input by its place, or a constant 0 or 1 (no operands)."""

    operation: str
    operands: tuple["Function", ...] = ()
    place: int = 0

    def of(self, inputs: Sequence[Array], ones: Array) -> Array:
        """The value of each bit; `ones` is a word of ones of the inputs' type."""
        match self.operation:
            case "input":
                return inputs[self.place]
            case "not":
                return ~self.operands[0].of(inputs, ones)
            case "constant":
                return ones if self.place else ones ^ ones
        values = [operand.of(inputs, ones) for operand in self.operands]
        return reduce(_OPERATIONS[self.operation], values)

    def in_c(self, inputs: Sequence[str]) -> str:
        """The same as an expression of C, on inputs of these names."""
        match self.operation:
            case "input":
                return inputs[self.place]
            case "not":
                return f"~{self.operands[0].in_c(inputs)}"
            case "constant":
                return "~0ull" if self.place else "0ull"
        between = {"and": " & ", "or": " | ", "xor": " ^ "}[self.operation]
        return f"({between.join(operand.in_c(inputs) for operand in self.operands)})"

    def constant_with(self, place: int, value: int, inputs: int) -> int | None:
        """What the function always is while one input is fixed; None when that depends on the others.

        Wide functions of one plain operation are looked at without their truth table.
        """
        if inputs > _MOST_INPUTS:
            return self._wide_constant(value)
        found = {self.of(row, 1) & 1 for row in product((0, 1), repeat=inputs) if row[place] == value}
        return found.pop() if len(found) == 1 else None

    def _wide_constant(self, value: int) -> int | None:
        inner, flip = (self.operands[0], 1) if self.operation == "not" else (self, 0)
        controlling = {"and": 0, "or": 1}.get(inner.operation)
        return value ^ flip if value == controlling else None


def primitive(name: str, inputs: int) -> Function:
    """A gate of Verilog: and, nand, or, nor, xor, xnor, buf, not."""
    places = tuple(Function("input", place=place) for place in range(inputs))
    if name in ("buf", "not", "assign"):
        return Function("not", places) if name == "not" else places[0]
    core = Function({"nand": "and", "nor": "or", "xnor": "xor"}.get(name, name), places)
    return Function("not", (core,)) if name in ("nand", "nor", "xnor") else core


def read_function(text: str, pins: Sequence[str]) -> Function:
    """A Liberty function of these pins.

    Precedence as in the Liberty reference: ' and ! bind most, then ^, then & * and a space, then + and |.

    Raises:
        DesignError: it is no function of them.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) or not tokens:
        raise DesignError(f"{text!r} is no boolean function")
    reader = _Reader(tokens, list(pins), text)
    function = reader.alternatives(0)
    if reader.tokens:
        raise reader.refusal()
    return function


@dataclass
class _Reader:
    tokens: list[str]
    pins: list[str]
    text: str

    def refusal(self) -> DesignError:
        return DesignError(f"{self.text!r} is no boolean function of {', '.join(self.pins) or 'nothing'}")

    def alternatives(self, depth: int) -> Function:
        if depth > _DEEPEST:
            raise self.refusal()
        found = [self._terms(depth)]
        while self.tokens and self.tokens[0] in "+|":
            self.tokens.pop(0)
            found.append(self._terms(depth))
        return found[0] if len(found) == 1 else Function("or", tuple(found))

    def _terms(self, depth: int) -> Function:
        found = [self._differences(depth)]
        while self.tokens and self.tokens[0] not in "+|)^'":
            if self.tokens[0] in "&*":
                self.tokens.pop(0)
            found.append(self._differences(depth))
        return found[0] if len(found) == 1 else Function("and", tuple(found))

    def _differences(self, depth: int) -> Function:
        found = [self._factor(depth)]
        while self.tokens and self.tokens[0] == "^":
            self.tokens.pop(0)
            found.append(self._factor(depth))
        return found[0] if len(found) == 1 else Function("xor", tuple(found))

    def _factor(self, depth: int) -> Function:
        if not self.tokens or depth > _DEEPEST:
            raise self.refusal()
        word = self.tokens.pop(0)
        if word == "!":
            return Function("not", (self._factor(depth + 1),))
        if word == "(":
            found = self.alternatives(depth + 1)
            if not self.tokens or self.tokens.pop(0) != ")":
                raise self.refusal()
        elif word in ("0", "1"):
            found = Function("constant", place=int(word))
        elif word in self.pins:
            found = Function("input", place=self.pins.index(word))
        else:
            raise self.refusal()
        while self.tokens and self.tokens[0] == "'":
            self.tokens.pop(0)
            found = Function("not", (found,))
        return found
