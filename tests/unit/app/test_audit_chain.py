"""How a record seals the one before: frozen, since stored hashes depend on it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from hpc_portal.app.audit_log.chain import BEFORE_THE_FIRST, Deed, plain, seal

DEED = Deed(
    sequence=1,
    at=datetime(2026, 11, 26, 1, 2, 3, 4, tzinfo=UTC),
    actor_id=UUID(int=7),
    address="10.0.0.1",
    action="prices.published",
    subject="phiên bản 2",
    facts={"b": [1, None], "a": {"was": "cũ"}},
)


def test_the_seal_is_what_it_was_when_the_first_logs_were_written() -> None:
    assert seal(BEFORE_THE_FIRST, DEED) == "155229bf1d42d9446ddabf0ae330310526e717522ad1446dd84aa9d2619a3c6e"


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 2},
        {"at": DEED.at + timedelta(microseconds=1)},
        {"actor_id": None},
        {"address": "10.0.0.2"},
        {"action": "prices.retired"},
        {"subject": "phiên bản 3"},
        {"facts": {"b": [1, None], "a": {"was": "mới"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_deed_is_sealed(change: dict[str, Any]) -> None:
    assert seal(BEFORE_THE_FIRST, replace(DEED, **change)) != seal(BEFORE_THE_FIRST, DEED)


def test_what_came_before_is_sealed() -> None:
    assert seal("1" * 64, DEED) != seal(BEFORE_THE_FIRST, DEED)


def test_neither_the_order_of_facts_nor_the_zone_of_the_clock_matters() -> None:
    same = replace(
        DEED,
        at=DEED.at.astimezone(timezone(timedelta(hours=7))),
        facts={"a": {"was": "cũ"}, "b": [1, None]},
    )
    assert seal(BEFORE_THE_FIRST, same) == seal(BEFORE_THE_FIRST, DEED)


def test_facts_are_sealed_as_a_database_gives_them_back() -> None:
    assert plain({"lines": (1, 2), "is": True}) == {"lines": [1, 2], "is": True}
    with pytest.raises(TypeError):
        plain({"secret": object()})
