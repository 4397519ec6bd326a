"""Check the books: the whole ledger, closed months, and days of the roll-ups made anew from records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from sqlalchemy import Connection, Engine, select
from sqlmodel import col

from quotas import discrepancies
from quotas.check_statements import check_statements
from quotas.close_month import broken_statements
from quotas.discrepancies import LONGEST_KEY, Finding
from quotas.rebuild_usage import DayDifference, compare_day
from quotas.slice_run import city_day
from quotas.tables import AccountingRecord
from quotas.usage_tables import DiscrepancyKind
from quotas.verify import verify

_RECENT_DAYS = 35
_SHOWN_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class BooksChecked:
    """What a check of the books looked at and found."""

    days: Sequence[date]
    """The local days whose roll-ups were made anew."""
    ledger: Sequence[Finding]
    roll_ups: Sequence[Finding]

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them."""
        return [*self.ledger, *self.roll_ups]


def check_books(engine: Engine, *, days: Sequence[date]) -> BooksChecked:
    """Verify the ledger, closed months and the roll-ups of these days, in one snapshot; writes nothing."""
    snapshot = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**snapshot) as connection:
        ledger = [*_of_ledger(connection), *_of_closed_months(connection), *_of_statements(connection)]
        return BooksChecked(days, ledger, [found for day in days for found in _of_day(connection, day)])


def keep_findings(connection: Connection, checked: BooksChecked, *, at: datetime) -> int:
    """Put what was found on the work list, and take off what is there no more; how many are news."""
    news = discrepancies.report(connection, checked.findings, at=at)
    found = {finding.key for finding in checked.findings}
    discrepancies.resolve_gone(connection, DiscrepancyKind.LEDGER, found=found, at=at)
    for day in checked.days:
        discrepancies.resolve_gone(
            connection, DiscrepancyKind.DAY_AUDIT, found=found, at=at, prefix=_day_key(day)
        )
    return news


def days_to_audit(connection: Connection, *, now: datetime, lot: Random) -> list[date]:
    """Yesterday, and by lot one of the last 35 days and one of all; none before the first day is over."""
    today = city_day(now)
    first_ended = connection.execute(
        select(col(AccountingRecord.ended_at)).order_by(col(AccountingRecord.ended_at)).limit(1)
    ).scalar()
    if first_ended is None or city_day(first_ended) >= today:
        return []
    first = city_day(first_ended)
    recent = max(first, today - timedelta(days=_RECENT_DAYS))
    chosen = {today - timedelta(days=1), _any_day(recent, today, lot), _any_day(first, today, lot)}
    return sorted(chosen)


def _any_day(since: date, until: date, lot: Random) -> date:
    return since + timedelta(days=lot.randint(0, max((until - since).days, 0)))


def _of_ledger(connection: Connection) -> Iterator[Finding]:
    for found in verify(connection):
        key = f"ledger:{found.rule}:{found.subject}:{found.asset}"[:LONGEST_KEY]
        facts = {
            "rule": found.rule.value,
            "subject": found.subject,
            "asset": found.asset,
            "expected": found.expected,
            "found": found.found,
        }
        yield Finding(DiscrepancyKind.LEDGER, key, facts)


def _of_closed_months(connection: Connection) -> Iterator[Finding]:
    for month in broken_statements(connection):
        facts = {"rule": "closed_statements_as_hashed", "subject": f"month {month:%Y-%m}"}
        yield Finding(DiscrepancyKind.LEDGER, f"ledger:closed_month:{month}", facts)


def _of_statements(connection: Connection) -> Iterator[Finding]:
    for found in check_statements(connection):
        facts = {
            "rule": found.rule,
            "subject": f"project {found.project_id}",
            "asset": found.asset,
            "expected": found.expected,
            "found": found.found,
        }
        key = f"ledger:{found.rule}:{found.project_id}:{found.asset}"[:LONGEST_KEY]
        yield Finding(DiscrepancyKind.LEDGER, key, facts)


def _of_day(connection: Connection, day: date) -> Iterator[Finding]:
    """One finding for a day, however many of its rows differ."""
    different = compare_day(connection, day)
    if different:
        facts = {
            "day": day.isoformat(),
            "rows": len(different),
            "differences": [_as_json(one) for one in different[:_SHOWN_DIFFERENCES]],
        }
        yield Finding(DiscrepancyKind.DAY_AUDIT, _day_key(day), facts)


def _day_key(day: date) -> str:
    return f"day_audit:{day}"


def _as_json(difference: DayDifference) -> dict[str, object]:
    return {
        "row": {name: str(value) for name, value in difference.key.items()},
        "folded": dict(difference.folded),
        "rebuilt": dict(difference.rebuilt),
    }
