"""Colours of a terminal as parts: what a program may say, and what it may not do to a page."""

import pytest

from hpc_portal.web.ansi import Part, parts_of


def _looks(text: str) -> list[tuple[str, str, str, str]]:
    return [(part.text, part.classes, part.fg, part.bg) for part in parts_of(text)]


def test_plain_text_is_one_part() -> None:
    assert parts_of("a <b> c") == (Part("a <b> c"),)


@pytest.mark.parametrize(
    ("codes", "classes", "fg", "bg"),
    [
        ("1;31", "b fg1", "", ""),
        ("97;104", "fg15 bg12", "", ""),
        ("38;5;9", "fg9", "", ""),
        ("38;5;208", "", "#ff8700", ""),
        ("48;5;244", "", "", "#808080"),
        ("38;2;255;140;0", "", "#ff8c00", ""),
        ("38:2:255:140:0", "", "#ff8c00", ""),
        ("3;4;9", "i s u", "", ""),
        ("7", "fg0 bg7", "", ""),
        ("1;22;39", "", "", ""),
        ("31;0", "", "", ""),
        ("38;5", "fg0", "", ""),
        ("999;38;7", "", "", ""),
    ],
)
def test_select_graphic_rendition(codes: str, classes: str, fg: str, bg: str) -> None:
    assert _looks(f"\x1b[{codes}mx") == [("x", classes, fg, bg)]


def test_a_colour_that_could_not_be_read_is_made_lighter() -> None:
    [(_, _, fg, _)] = _looks("\x1b[38;2;0;0;90mx")
    assert min(int(fg[at : at + 2], 16) for at in (1, 3, 5)) > 90
    assert _looks("\x1b[38;2;0;0;90;48;2;250;250;250mx") == [("x", "", "#00005a", "#fafafa")]


def test_other_escapes_are_dropped_and_controls_become_pictures() -> None:
    text = "a\x1b[2Jb\x1b[1A\x1b]0;title\x07c\x1b]8;;http://evil\x1b\\d\x1bc\x1b(Be\x00\x08\x9b1m\tend\x1b"
    assert "".join(part.text for part in parts_of(text)) == "abcde␀␈\ufffd1m\tend"
    assert {part.classes for part in parts_of(text)} == {""}


def test_an_escape_that_never_ends_hides_nothing() -> None:
    assert "".join(part.text for part in parts_of("\x1b]0;all of this stays")) == "0;all of this stays"
