"""Make roll-ups anew from the accounting records, to compare them with what was folded run by run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from quotas.fold_usage import MEASURES, DayKey, Measures, organisations_of, sum_usage, write_usage
from quotas.slice_run import RecordedRun, day_begins_at, recorded_run
from quotas.tables import AccountingRecord, table_of
from quotas.usage_tables import UsageDay

_RECORDS, _DAYS = table_of(AccountingRecord), table_of(UsageDay)
_DAY_KEY = tuple(column.name for column in _DAYS.primary_key)
_ROWS_AT_ONCE = 5000
_ALL_OPEN = date.min


@dataclass(frozen=True, slots=True)
class DayDifference:
    """One row of `usage_day` that is not what the records say."""

    key: Mapping[str, Any]
    folded: Mapping[str, int]
    """The measures that differ, as they were folded."""
    rebuilt: Mapping[str, int]
    """The same measures, as the records have them."""


def rebuild_day(conn: Connection, day: date) -> dict[DayKey, Measures]:
    """What the roll-ups of a local day should say, wherever it is posted; rows that sum to nothing left out.

    Reads every revision of each run that touches the day, and replays what was posted when.
    """
    found: dict[DayKey, Measures] = {}
    runs = list(_postings(_records(conn, _touches(day))))
    days, _ = sum_usage(runs, organisations_of(conn, {run.project_id for run, _, _ in runs}))
    for key, measures in days.items():
        if key[1] == day and any(measures):
            found[key] = tuple(measures)
    return found


def compare_day(conn: Connection, day: date) -> list[DayDifference]:
    """Where the roll-ups of a local day differ from its records; empty when all is well.

    On a live PostgreSQL, call it in a REPEATABLE READ transaction: it reads twice.
    """
    rebuilt = rebuild_day(conn, day)
    rows = conn.execute(select(_DAYS).where(_DAYS.c.day == day, _DAYS.c.posted_on >= day)).mappings()
    folded = {tuple(row[name] for name in _DAY_KEY): tuple(row[name] for name in MEASURES) for row in rows}
    nothing = (0,) * len(MEASURES)
    differences = []
    for key in sorted(rebuilt.keys() | folded.keys()):
        is_, should = folded.get(key, nothing), rebuilt.get(key, nothing)
        if is_ != should:
            other = [place for place, amount in enumerate(is_) if amount != should[place]]
            differences.append(
                DayDifference(
                    dict(zip(_DAY_KEY, key, strict=True)),
                    {MEASURES[place]: is_[place] for place in other},
                    {MEASURES[place]: should[place] for place in other},
                )
            )
    return differences


def fold_unfolded(conn: Connection) -> int:
    """Fold the records of a database that is older than its roll-ups; how many there were.

    Only into empty roll-ups: otherwise it was done, and nothing is. The caller commits.
    """
    if conn.execute(select(_DAYS.c.day).limit(1)).first():
        return 0
    runs = list(_postings(_records(conn)))
    write_usage(conn, *sum_usage(runs, organisations_of(conn, {run.project_id for run, _, _ in runs})))
    return len(runs)


def _records(conn: Connection, *of_day: ColumnElement[bool]) -> Iterator[RowMapping]:
    """All revisions of runs, in their order."""
    rows = conn.execute(select(_RECORDS).where(*of_day).order_by(_RECORDS.c.run_key, _RECORDS.c.revision))
    yield from rows.yield_per(_ROWS_AT_ONCE).mappings()


def _touches(day: date) -> ColumnElement[bool]:
    """Any revision of the run lies in the day."""
    begins_at, ends_at = day_begins_at(day), day_begins_at(day + timedelta(days=1))
    touching = _RECORDS.alias("touching")
    keys = select(touching.c.run_key).where(
        touching.c.ended_at >= begins_at, func.coalesce(touching.c.started_at, touching.c.ended_at) < ends_at
    )
    return _RECORDS.c.run_key.in_(keys)


def _postings(records: Iterable[RowMapping]) -> Iterator[tuple[RecordedRun, int, date]]:
    """What each record did to the roll-ups: itself counted, and its predecessor taken back."""
    before: tuple[str, RecordedRun] | None = None
    for record in records:
        run, open_from = recorded_run(dict(record)), record["open_from"] or _ALL_OPEN
        if record["revision"] and before is not None and before[0] == record["run_key"]:
            yield before[1], -1, open_from
        yield run, 1, open_from
        before = record["run_key"], run
