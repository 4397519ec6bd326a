"""A cell's Boolean function, as Liberty writes it, and the timing arcs that follow from it. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|[!&|^()])")
_DEEPEST = 20

Values = Mapping[str, bool]
Evaluate = Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class Arc:
    """An input that toggles the output while the others are held."""

    input: str
    held: tuple[tuple[str, bool], ...]
    """The other inputs and their levels."""
    inverts: bool

    @property
    def when(self) -> str:
        """The levels of the others in Liberty's notation: `B & !C`."""
        return " & ".join(name if level else f"!{name}" for name, level in self.held)


@dataclass(frozen=True, slots=True)
class Function:
    """`!(A & B)`."""

    text: str
    inputs: tuple[str, ...]
    """In the order in which they are named first."""
    evaluate: Evaluate

    def arcs(self) -> Iterator[Arc]:
        """For every input, every assignment of the others that lets it toggle the output."""
        for name in self.inputs:
            others = [other for other in self.inputs if other != name]
            for levels in product((False, True), repeat=len(others)):
                held = dict(zip(others, levels, strict=True))
                low, high = (self.evaluate({**held, name: level}) for level in (False, True))
                if low != high:
                    yield Arc(name, tuple(held.items()), inverts=low)


def read_function(text: str) -> Function:
    """Operators by precedence: ! & ^ |, with parentheses.

    Raises:
        ValueError: it is no such function.
    """
    tokens: list[str] = []
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(text)
        tokens.append(match[1])
        place = match.end()
    reader = _Reader(tokens)
    evaluate = reader.either(0)
    if reader.rest:
        raise ValueError(text)
    inputs = tuple(dict.fromkeys(token for token in tokens if token[0].isalpha() or token[0] == "_"))
    return Function(" ".join(text.split()), inputs, evaluate)


class _Reader:
    """Recursive descent over tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens[::-1]
        """What is still to be read, the next token last."""

    def either(self, depth: int) -> Evaluate:
        found = self._differ(depth)
        while self._take("|"):
            found = _or(found, self._differ(depth))
        return found

    def _differ(self, depth: int) -> Evaluate:
        found = self._both(depth)
        while self._take("^"):
            found = _xor(found, self._both(depth))
        return found

    def _both(self, depth: int) -> Evaluate:
        found = self._single(depth)
        while self._take("&"):
            found = _and(found, self._single(depth))
        return found

    def _single(self, depth: int) -> Evaluate:
        if depth > _DEEPEST or not self.rest:
            raise ValueError
        match self.rest.pop():
            case "!":
                return _not(self._single(depth + 1))
            case "(":
                found = self.either(depth + 1)
                if not self._take(")"):
                    raise ValueError
                return found
            case ")" | "&" | "|" | "^":
                raise ValueError
            case name:
                return lambda values: values[name]

    def _take(self, token: str) -> bool:
        if self.rest and self.rest[-1] == token:
            self.rest.pop()
            return True
        return False


def _or(one: Evaluate, other: Evaluate) -> Evaluate:
    return lambda values: one(values) or other(values)


def _xor(one: Evaluate, other: Evaluate) -> Evaluate:
    return lambda values: one(values) != other(values)


def _and(one: Evaluate, other: Evaluate) -> Evaluate:
    return lambda values: one(values) and other(values)


def _not(one: Evaluate) -> Evaluate:
    return lambda values: not one(values)
