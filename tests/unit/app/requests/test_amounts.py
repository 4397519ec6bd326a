"""Amounts as people enter them: exact, and never a thousandth of what was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc_portal.app.requests.amounts import NotAnAmount, as_units, parse_units, problem_of, round_up

HOUR = 3600


@pytest.mark.parametrize(
    ("asset", "text", "amount"),
    [
        ("gres/gpu:h100", "500", 500 * HOUR),
        ("gres/gpu:h100", " 1 500 ", 1500 * HOUR),
        ("gres/gpu:h100", "1.5", 5400),
        ("gres/gpu:h100", "1,5", 5400),
        ("cpu", "1.500,5", 1500 * HOUR + 1800),
        ("cpu", "1,500.5", 1500 * HOUR + 1800),
        ("cpu", "1.500.000", 1_500_000 * HOUR),
        ("cpu", "0.125", 450),
        ("mem", "2", 2 * 1024 * HOUR),
        ("VND", "20.000.000", 20_000_000),
        ("VND", "20,000,000 ₫", 20_000_000),
        ("VND", "1.500", 1500),
        ("storage", "2048", 2048),
    ],
)
def test_numbers_of_both_languages_are_read(asset: str, text: str, amount: int) -> None:
    assert parse_units(asset, text) == amount


@pytest.mark.parametrize(
    ("asset", "text", "said"),
    [
        ("cpu", "", "“” is no number"),
        ("cpu", "0", "above zero"),
        ("cpu", "0,0", "above zero"),
        ("cpu", "-5", "above zero"),
        ("VND", "-20.000", "above zero"),
        ("cpu", "many", "“many” is no number. Write it as 1500 or 1.500,5."),
        ("cpu", "1e9", "no number"),
        ("cpu", "١٢", "no number"),
        ("cpu", "1.500", "“1.500” can be read in two ways. Write 1500, or 1,5."),
        ("cpu", "2,000", "Write 2000, or 2,0."),
        ("cpu", "1.5.0", "no number"),
        ("cpu", "1,,5", "no number"),
        ("cpu", "1.000.5,5", "no number"),
        ("cpu", "1,000.", "no number"),
        ("cpu", "0.0001", "finer than a second"),
        ("cpu", "9" * 30, f"too large. Enter at most {10**17 // HOUR}."),
        ("VND", "1" + "0" * 18, f"Enter at most {10**17}."),
        ("VND", "1.5", "whole number, such as 20000000 or 20.000.000"),
        ("VND", "1.50", "whole number"),
        ("VND", "NaN", "no number"),
        ("storage", "0,5", "whole number"),
    ],
)
def test_what_could_be_misread_is_refused_and_why(asset: str, text: str, said: str) -> None:
    with pytest.raises(NotAnAmount) as refused:
        parse_units(asset, text)
    assert said in problem_of(refused.value, "amount").message


@given(st.sampled_from(["cpu", "mem", "VND", "storage"]), st.integers(1, 10**12))
def test_what_a_form_shows_is_read_back_as_the_same_or_the_next_whole_hour(asset: str, amount: int) -> None:
    read = parse_units(asset, as_units(asset, amount))
    assert amount <= read < amount + HOUR * 1024


@pytest.mark.parametrize("amount", [1800, 36, 450, 5400, 3600 * 1500])
def test_usual_parts_of_an_hour_stay_exact(amount: int) -> None:
    assert parse_units("cpu", as_units("cpu", amount)) == amount


@given(st.sampled_from(["cpu", "mem", "VND", "gres/gpu:h100"]), st.integers(1, 10**14))
def test_a_shortage_is_rounded_up_and_by_less_than_a_unit(asset: str, missing: int) -> None:
    asked = round_up(asset, missing)
    assert missing <= asked < missing + (1000 if asset == "VND" else HOUR * 1024)
