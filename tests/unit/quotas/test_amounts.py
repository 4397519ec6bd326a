"""Amounts read as people say them, and refusals that say what to do."""

import pytest

from quotas.amounts import format_amount
from quotas.checks import LARGEST_AMOUNT, require_amounts
from quotas.errors import BudgetExceeded, InvalidAmount


@pytest.mark.parametrize(
    ("asset", "amount", "text"),
    [
        ("gres/gpu", 96 * 3600, "96 GPU-hours"),
        ("gres/gpu:h100", 40 * 3600, "40 GPU-hours (h100)"),
        ("cpu", 5400, "1.5 CPU-hours"),
        ("cpu", 17, "17 CPU-seconds"),
        ("cpu", 18, "0.01 CPU-hours"),
        ("cpu", -1800, "-0.5 CPU-hours"),
        ("cpu", 0, "0 CPU-hours"),
        ("cpu", 360_000, "100 CPU-hours"),
        ("mem", 2048 * 3600, "2 GiB-hours"),
        ("mem", 512, "512 MiB-seconds"),
        ("gres/gpu:h100", 5, "5 GPU-seconds (h100)"),
        ("license/vcs", 12 * 3600, "12 licence-hours (vcs)"),
        ("node", 3600, "1 node-hours"),
        ("VND", 1_250_000, "1.250.000 ₫"),
    ],
)
def test_amounts_are_written_in_hours_and_dong(asset: str, amount: int, text: str) -> None:
    assert format_amount(asset, amount) == text


def test_a_budget_that_is_short_says_what_to_do() -> None:
    assert str(BudgetExceeded("vlsi-lab", "gres/gpu", 40 * 3600, 96 * 3600)) == (
        "Project vlsi-lab has 40 GPU-hours left; this job needs 96 GPU-hours. "
        "Shorten the walltime or request more quota."
    )


@pytest.mark.parametrize(
    "amounts",
    [
        {"cpu": -1},
        {"cpu": LARGEST_AMOUNT + 1},
        {"cpu": 1.5},
        {"cpu": True},
        {"gpus": 1},
        {"": 1},
        {"license/" + "x" * 100: 1},
        {"VND": 1},
    ],
)
def test_what_is_no_amount_is_refused(amounts: dict[str, int]) -> None:
    with pytest.raises(InvalidAmount):
        require_amounts(amounts, allow_vnd=False)


def test_dong_can_be_granted() -> None:
    require_amounts({"VND": LARGEST_AMOUNT, "cpu": 0}, allow_vnd=True)
