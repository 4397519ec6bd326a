"""What a signal's value is called, in hex, decimal or binary, with what is unknown in it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_CHARACTERS = 72
"""Of a value as text; 256 bits in hex are 64."""
_ZEROS_AND_ONES = str.maketrans("lh", "01")
"""VHDL's weak levels are levels."""
_UNKNOWN, _HIGH_IMPEDANCE = "x", "z"

Value = int | float | str
"""As pywellen gives it: a number, or a string of bits where one of them is neither 0 nor 1."""


class Radix(StrEnum):
    """How bits are written."""

    HEX = "hex"
    UNSIGNED = "dec"
    SIGNED = "sgn"
    """Decimal, as two's complement."""
    BINARY = "bin"


class SignalKind(StrEnum):
    """How a signal is drawn."""

    BIT = "bit"
    BITS = "bits"
    REAL = "real"
    TEXT = "text"
    EVENT = "event"
    """It has no value, only moments."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the values of a signal are."""

    kind: SignalKind
    width: int
    """Bits; 0 for what is not made of bits."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """Names of values, of an enumeration."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text; `state` is `x` or `z` where a bit of it is, else empty."""

    text: str
    state: str = ""


def show(value: Value, shape: Shape, radix: Radix) -> Shown:
    """A value as people read it; bits that are not all known in hex where decimal was asked for."""
    match value:
        case float():
            return Shown(f"{value:.6g}")
        case str() if shape.kind in (SignalKind.TEXT, SignalKind.EVENT):
            return Shown(_cut(visible(value)))
        case str():
            bits = value.lower().translate(_ZEROS_AND_ONES)
            if set(bits) <= {"0", "1"}:
                return show(int(bits or "0", 2), shape, radix)
            return _unknown(bits, radix)
        case _:
            return Shown(_cut(shape.labels.get(value) or _number(value, shape, radix)))


def visible(text: str) -> str:
    r"""A text whose characters do nothing: controls, line breaks and turns of direction become \u202e."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _number(value: int, shape: Shape, radix: Radix) -> str:
    if shape.kind is not SignalKind.BITS:
        return str(value)
    match radix:
        case Radix.BINARY:
            return f"{value:0{min(shape.width, MOST_CHARACTERS + 1)}b}"
        case Radix.HEX:
            return f"{value:0{min(-(-shape.width // 4), MOST_CHARACTERS + 1)}x}"
        case Radix.SIGNED if shape.width and value >> (shape.width - 1):
            return _decimal(value - (1 << shape.width))
    return _decimal(value)


def _decimal(value: int) -> str:
    """Of very wide numbers hex: Python refuses to write, and nobody reads, thousands of decimal digits."""
    return str(value) if value.bit_length() <= 4 * MOST_CHARACTERS - 64 else f"{value:#x}"


def _unknown(bits: str, radix: Radix) -> Shown:
    state = _HIGH_IMPEDANCE if set(bits) <= {"0", "1", _HIGH_IMPEDANCE} else _UNKNOWN
    if radix is Radix.BINARY or len(bits) == 1:
        return Shown(_cut(bits), state)
    padded = bits.rjust(-(-len(bits) // 4) * 4, "0" if bits[0] in "01" else bits[0])
    digits = [_digit(padded[at : at + 4]) for at in range(0, min(len(padded), 4 * MOST_CHARACTERS + 4), 4)]
    return Shown(_cut("".join(digits)), state)


def _digit(bits: str) -> str:
    """Four bits: a digit, the state that all of them have, or an X for a mixture."""
    states = set(bits)
    if states <= {"0", "1"}:
        return f"{int(bits, 2):x}"
    return bits[0] if len(states) == 1 else "X"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
