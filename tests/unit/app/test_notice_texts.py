"""The words of notices: every kind in both languages, with the same facts."""

import re

import pytest

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.say import say, say_amount
from hpc_portal.app.notices.texts import TEXTS
from hpc_portal.app.notices.words import Words


def facts_of(words: Words) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", words.title + words.body))


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_says_the_same_in_both_languages(kind: NoticeKind) -> None:
    text = TEXTS[kind]
    assert facts_of(text.vi) == facts_of(text.en)
    assert text.vi.title != text.en.title


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("locale", ["vi", "en"])
def test_a_fact_that_was_not_stored_leaves_a_gap_and_no_error(kind: NoticeKind, locale: str) -> None:
    assert say(kind.value, {}, locale).title


def test_a_kind_of_a_newer_version_is_shown_by_its_name() -> None:
    assert say("moon.landed", {"by": "Lan"}, "vi").title == "moon.landed"


def test_values_are_written_as_their_names_end() -> None:
    facts = {
        "project": "npu",
        "by": "Lan",
        "lines": {"gres/gpu:h100": 5400, "license/vcs": 7200, "mem": 1024 * 3600, "VND": 5_000_000},
        "message": "",
    }
    said = say("request.approved", facts, "vi")
    assert "1,5 giờ GPU H100" in said.body
    assert "2 giờ giấy phép vcs" in said.body
    assert "1 giờ·GiB bộ nhớ" in said.body
    assert "5.000.000 ₫" in said.body


@pytest.mark.parametrize(
    ("asset", "amount", "vi", "en"),
    [
        ("cpu", 3600 * 12_500, "12.500 giờ CPU", "12500 CPU-hours"),
        ("gres/gpu", 3600, "1 giờ GPU", "1 GPU-hours"),
        ("storage", 2048, "2.048 GiB lưu trữ", "2,048 GiB of storage"),
    ],
)
def test_amounts_are_said_in_both_languages(asset: str, amount: int, vi: str, en: str) -> None:
    assert (say_amount(asset, amount, "vi"), say_amount(asset, amount, "en")) == (vi, en)
