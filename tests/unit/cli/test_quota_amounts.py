"""Amounts on the command line: what is wrong with one is said, with the bound."""

import pytest

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.quota_amounts import read_amounts


def test_amounts_are_read_in_the_units_that_people_write() -> None:
    assert read_amounts(["gres/gpu:h100=1.5", "VND=20.000.000", "cpu=0"]) == {
        "gres/gpu:h100": 5400,
        "VND": 20_000_000,
        "cpu": 0,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gres/gpu:h100", "Write RESOURCE=HOURS"),
        ("cpu=1.500", "cpu: 1.500 can be read in two ways. Write 1500, or 1,5."),
        ("cpu=many", "cpu: many is no number"),
        ("VND=1.5", "VND: Give a whole number"),
        ("cpu=-5", "cpu: Give a number above zero"),
        ("VND=" + "9" * 20, "too large. Give at most 100000000000000000."),
    ],
)
def test_what_is_wrong_with_an_amount_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        read_amounts([text])
    assert said in str(refused.value)
