"""Windows of a signal's changes, and how its values are written: against what bare reading gives."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from hpc_portal.app.files.wave_values import Radix, Shape, SignalKind, Value, show, visible
from hpc_portal.app.files.wave_window import Moment, Point, cut_window, look_at

BYTE = Shape(SignalKind.BITS, 8)
SLOW = [(10, 1), (20, 0), (60, 1)]


def value_at(changes: Sequence[tuple[int, Value]], time: int) -> Value | None:
    return next((value for at, value in reversed(changes) if at <= time), None)


def test_a_window_begins_with_the_value_that_holds_there() -> None:
    assert cut_window(SLOW, 15, 65, 50) == [Point(15, 1), Point(20, 0), Point(60, 1)]


def test_before_the_first_change_there_is_no_value() -> None:
    assert cut_window(SLOW, 0, 10, 10) == [Point(10, 1)]


def test_a_column_with_several_changes_says_so_and_how_it_ends() -> None:
    clock = [(time, time % 2) for time in range(100)]

    assert cut_window(clock, 0, 100, 10) == [Point(0, 0), Point(1, None), Point(99, 1)]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_drawn_is_what_is_there(seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - the same each time
    times = sorted(drawn.sample(range(1000), drawn.randint(1, 300)))
    changes = [(time, drawn.randint(0, 9)) for time in times]
    begin = drawn.randint(0, 900)
    end = begin + drawn.randint(1, 1000)
    columns = drawn.randint(1, 200)

    points = cut_window(changes, begin, end, columns)

    assert len(points) <= 2 * columns + 2
    assert [point.time for point in points] == sorted({point.time for point in points})
    assert all(begin <= point.time <= end for point in points)
    for point in points:
        assert point.value is None or point.value == value_at(changes, point.time)
    often = [(one.time, other.time) for one, other in pairwise(points) if one.value is None]
    shown = {point.time for point in points}
    hidden = [time for time in times if begin < time <= end and time not in shown]
    assert all(any(first < time < last for first, last in often) for time in hidden)


def test_a_moment_says_since_when_and_until_when() -> None:
    assert look_at(SLOW, 5) == Moment(None, None, 10)
    assert look_at(SLOW, 20) == Moment(0, 20, 60)
    assert look_at(SLOW, 99) == Moment(1, 60, None)


@pytest.mark.parametrize(
    ("value", "radix", "text", "state"),
    [
        (254, Radix.HEX, "fe", ""),
        (254, Radix.UNSIGNED, "254", ""),
        (254, Radix.SIGNED, "-2", ""),
        (5, Radix.SIGNED, "5", ""),
        (5, Radix.BINARY, "00000101", ""),
        ("xxxxxxxx", Radix.HEX, "xx", "x"),
        ("zzzz1010", Radix.HEX, "za", "z"),
        ("1x101010", Radix.UNSIGNED, "Xa", "x"),
        ("hhhhLLLL", Radix.BINARY, "11110000", ""),
        ("uuuu0000", Radix.HEX, "u0", "x"),
    ],
)
def test_a_byte_is_written_in_each_radix(value: Value, radix: Radix, text: str, state: str) -> None:
    shown = show(value, BYTE, radix)

    assert (shown.text, shown.state) == (text, state)


def test_wide_and_strange_values_stay_short_and_harmless() -> None:
    huge = Shape(SignalKind.BITS, 60_000)
    text = Shape(SignalKind.TEXT, 0)

    assert len(show((1 << 60_000) - 1, huge, Radix.UNSIGNED).text) < 100
    assert len(show("x" * 60_000, huge, Radix.BINARY).text) < 100
    assert show("a\nb\u202e", text, Radix.HEX).text == r"a\nb\u202e"
    assert visible("tín hiệu [3:0]") == "tín hiệu [3:0]"


def test_values_of_an_enumeration_have_names() -> None:
    assert show(1, Shape(SignalKind.BITS, 1, {0: "idle", 1: "busy"}), Radix.HEX).text == "busy"
