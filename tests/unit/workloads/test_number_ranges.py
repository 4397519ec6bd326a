"""Ranges of numbers in forms: exact, with both ends, and never endless."""

import pytest

from workloads.catalog import CATALOG
from workloads.forms import form_fields, parse_form
from workloads.number_ranges import MOST_NUMBERS, expand


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1..5", ["1", "2", "3", "4", "5"]),
        (" 0.8 .. 1.2 / 0.1 ", ["0.8", "0.9", "1.0", "1.1", "1.2"]),
        ("-40..125/55", ["-40", "15", "70", "125"]),
        ("1..2/0.4", ["1.0", "1.4", "1.8"]),
        ("7..7", ["7"]),
    ],
)
def test_a_range_is_its_numbers(text: str, numbers: list[str]) -> None:
    assert expand(text) == numbers


@pytest.mark.parametrize(
    "text", ["5..1", "1..5/0", "1..5/-1", "1..", "a..b", "1...5", "5", f"0..{MOST_NUMBERS}"]
)
def test_what_is_none_stays_for_whoever_refuses_it(text: str) -> None:
    assert expand(text) == [text]


def test_lists_of_numbers_take_ranges_and_others_do_not() -> None:
    fields = form_fields(CATALOG["spice"].parameters)
    submitted = [("temperatures", "-40..85/125\n27"), ("corners", "1..3")]
    found = parse_form(fields, submitted)
    assert found["temperatures"] == ["-40", "85", "27"]
    assert found["corners"] == ["1..3"]
