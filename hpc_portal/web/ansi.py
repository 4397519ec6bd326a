"""ANSI colours of a line as parts that a page can show: classes and colours, never markup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

_ESCAPE = re.compile(
    r"\x1b(?:\[([0-?]*)([ -/]*[@-~])|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-~])|\x1b", re.DOTALL
)
"""ECMA-48; group 1 and 2 are the parameters and the end of a control sequence."""
_CONTROLS = {code: 0x2400 + code for code in range(0x20) if code != ord("\t")} | {
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
"""Control characters as their pictures, so that a NUL is seen and does nothing."""
_CLASSES = {1: "b", 2: "d", 3: "i", 4: "u", 9: "s"}
_ENDS = {22: ("b", "d"), 23: ("i",), 24: ("u",), 29: ("s",)}
_EXTENDED = {38: "fg", 48: "bg"}
_INDEXED, _TRUE_COLOUR = 5, 2
_BACKGROUND = (14, 22, 34)
_LEAST_CONTRAST = 4.5
"""WCAG AA, between a colour that a program chose and the log's dark background."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some text of one look."""

    text: str
    classes: str = ""
    fg: str = ""
    """`#rrggbb`, for colours beyond the sixteen that are classes; made readable on the log's background."""
    bg: str = ""


@dataclass(frozen=True, slots=True)
class _Look:
    marks: frozenset[str] = frozenset()
    fg: str = ""
    bg: str = ""
    is_inverse: bool = False

    def coloured(self, name: str, colour: str) -> "_Look":
        return replace(self, fg=colour) if name == "fg" else replace(self, bg=colour)


def parts_of(text: str) -> tuple[Part, ...]:
    """A line in parts of one look each. Looks end with their line, so that each line can be shown alone."""
    if "\x1b" not in text:
        return (Part(_visible(text)),)
    return tuple(part for part in _parts(text) if part.text)


def _parts(text: str) -> Iterator[Part]:
    look, position = _Look(), 0
    for escape in _ESCAPE.finditer(text):
        yield _part(text[position : escape.start()], look)
        position = escape.end()
        if escape.group(2) == "m":
            look = _after(look, escape.group(1))
    yield _part(text[position:], look)


def _visible(text: str) -> str:
    return text if text.isprintable() else text.translate(_CONTROLS)


def _part(text: str, look: _Look) -> Part:
    fg, bg = (look.bg or "bg0", look.fg or "fg7") if look.is_inverse else (look.fg, look.bg)
    classes = sorted(look.marks)
    colours = {"fg": "", "bg": ""}
    for name, colour in (("fg", fg), ("bg", bg)):
        if colour.startswith("#"):
            colours[name] = _readable(colour) if name == "fg" and not bg else colour
        elif colour:
            classes.append(f"{name}{colour[2:]}")
    return Part(_visible(text), " ".join(classes), colours["fg"], colours["bg"])


def _after(look: _Look, parameters: str) -> _Look:
    """The look after Select Graphic Rendition; what is not known changes nothing."""
    codes = iter([int(code) if code.isdecimal() else 0 for code in re.split("[;:]", parameters)[:64]])
    for code in codes:
        if code == 0:
            look = _Look()
        elif code in _CLASSES:
            look = replace(look, marks=look.marks | {_CLASSES[code]})
        elif code in _ENDS:
            look = replace(look, marks=look.marks - set(_ENDS[code]))
        elif code in {7, 27}:
            look = replace(look, is_inverse=code == 7)  # noqa: PLR2004 - as ECMA-48 numbers them
        elif code in _EXTENDED:
            look = look.coloured(_EXTENDED[code], _extended(codes, _EXTENDED[code]))
        elif code in {39, 49}:
            look = look.coloured("fg" if code == 39 else "bg", "")  # noqa: PLR2004
        elif named := _named(code):
            look = look.coloured(named[:2], named)
    return look


def _named(code: int) -> str:
    """`fg0` to `fg15` and `bg0` to `bg15` of the sixteen colours."""
    for start, name, first in ((30, "fg", 0), (40, "bg", 0), (90, "fg", 8), (100, "bg", 8)):
        if start <= code < start + 8:
            return f"{name}{code - start + first}"
    return ""


def _extended(codes: Iterator[int], name: str) -> str:
    match next(codes, 0):
        case 5:
            index = min(next(codes, 0), 255)
            return f"{name}{index}" if index < 16 else _palette(index)  # noqa: PLR2004
        case 2:
            return "#{:02x}{:02x}{:02x}".format(*(min(next(codes, 0), 255) for _ in range(3)))
        case _:
            return ""


def _palette(index: int) -> str:
    """Xterm's 6 x 6 x 6 cube and its 24 greys."""
    if index >= 232:  # noqa: PLR2004
        return f"#{8 + 10 * (index - 232):02x}" + f"{8 + 10 * (index - 232):02x}" * 2
    red, green, blue = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
    return "#" + "".join(f"{55 + 40 * level if level else 0:02x}" for level in (red, green, blue))


@lru_cache(4096)
def _readable(colour: str) -> str:
    """The colour, mixed with white until it can be read."""
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    darkest = _luminance(_BACKGROUND)
    while (_luminance(channels) + 0.05) / (darkest + 0.05) < _LEAST_CONTRAST:
        channels = [channel + (255 - channel + 7) // 8 for channel in channels]
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _luminance(channels: tuple[int, ...] | list[int]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for level in (channel / 255 for channel in channels)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
