"""An auditor gets every row once, as CSV and JSON, without anybody holding them all."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from hpc_portal.app.errors import NotAllowed
from hpc_portal.app.reports import audit_rows as subject
from hpc_portal.app.reports.audit_rows import Kind, audit_rows
from hpc_portal.app.reports.period import Period
from tests.integration.reports.conftest import Books

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
EVER = Period(date(2026, 1, 1), date(2026, 12, 31))


def as_json(books: Books, kind: Kind, period: Period) -> Sequence[dict[str, Any]]:
    rows = audit_rows(books.city.services.engine, books.auditor, kind, period)
    found: Sequence[dict[str, Any]] = json.loads("".join(rows.as_json()))
    return found


def test_runs_are_those_that_ended_in_the_period(november: Books) -> None:
    runs = as_json(november, Kind.RUNS, NOVEMBER)
    assert [(run["run_key"], run["vnd"], run["revision"]) for run in runs] == [
        ("a", 73_440, 0),
        ("b", 360, 0),
        ("c", 1_000, 0),
    ]
    assert runs[0]["tres_seconds"] == {"cpu": 14_400, "gres/gpu": 7_200, "gres/gpu:h100": 7_200}
    assert runs[0]["ended_at"] == "2026-11-10T03:00:00Z"


def test_entries_sum_to_zero_by_asset_and_transfer(november: Books) -> None:
    entries = as_json(november, Kind.ENTRIES, EVER)
    sums: dict[tuple[int, str], int] = {}
    for entry in entries:
        key = (entry["transfer_id"], entry["asset"])
        sums[key] = sums.get(key, 0) + entry["amount"]
    assert set(sums.values()) == {0}
    transfers = as_json(november, Kind.TRANSFERS, EVER)
    assert {entry["transfer_id"] for entry in entries} == {transfer["id"] for transfer in transfers}
    assert {transfer["kind"] for transfer in transfers} == {"grant", "settle"}


@pytest.mark.parametrize("kind", list(Kind))
def test_csv_says_the_same_as_json(november: Books, kind: Kind) -> None:
    rows = audit_rows(november.city.services.engine, november.auditor, kind, EVER)
    from_csv = list(csv.DictReader(io.StringIO("".join(rows.as_csv()))))
    from_json = as_json(november, kind, EVER)
    assert [row.get("id", row.get("transfer_id")) for row in from_csv] == [
        str(row.get("id", row.get("transfer_id"))) for row in from_json
    ]


def test_small_chunks_lose_nothing_and_repeat_nothing(
    november: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {kind: as_json(november, kind, EVER) for kind in Kind}
    monkeypatch.setattr(subject, "CHUNK", 2)
    assert {kind: as_json(november, kind, EVER) for kind in Kind} == whole


def test_what_an_empty_period_gives_is_still_json(november: Books) -> None:
    assert as_json(november, Kind.RUNS, Period(date(2020, 1, 1), date(2020, 1, 31))) == []


def test_nobody_else_gets_rows(november: Books) -> None:
    with pytest.raises(NotAllowed):
        audit_rows(november.city.services.engine, november.city.chips.lead, Kind.RUNS, EVER)
