"""A ledger that Hypothesis drives, a naive one beside it, and what must be true of both after every step."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import count
from typing import TypeVar
from uuid import UUID, uuid4

import sqlalchemy
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import Connection, Engine, event, select

from quotas.close_month import broken_statements
from quotas.rebuild_usage import compare_day
from quotas.refunded import refunded_by_line
from quotas.replay import create_ledger_tables, replay
from quotas.slice_run import city_day
from quotas.statement import statement
from quotas.tables import AccountingRecord, AccountKind, LedgerAccount, table_of
from quotas.usage_tables import ClosedMonth
from quotas.verify import Rule, verify
from tests.integration.quotas.books import Books
from tests.integration.quotas.naive import NaiveAllocation, NaiveLedger
from tests.integration.quotas.steward import Steward

T = TypeVar("T")

BUDGETS = st.sampled_from([0, 250, 300, 600])
"""Small, beside jobs of up to 600, so that budgets run out and top-ups do not fit."""
CRASHES = st.none() | st.integers(1, 12)
PICKS = st.integers(0, 100)

_ACCOUNTS = table_of(LedgerAccount)
_RECORDS = table_of(AccountingRecord)
_MONTHS = table_of(ClosedMonth)
_KINDS = (AccountKind.AVAILABLE, AccountKind.HELD, AccountKind.CONSUMED, AccountKind.EXPIRED)


class Crash(Exception):
    """The process died here: the transaction never commits."""


class DrivenLedger(RuleBasedStateMachine):
    """The books of one project, and of another of its organisation that gets parts of its budget."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.books = Books.open(self.engine, account=f"p-{uuid4().hex}")
        self.steward = Steward(self.books)
        self.student = self.steward.sibling()
        self.naive = NaiveLedger()
        self.rate = 1
        """Đồng for a CPU-second, for new jobs."""
        self.closed_months: dict[date, str] = {}
        self.ends: set[datetime] = set()

    def allocation(self, pick: int) -> tuple[UUID, NaiveAllocation]:
        """One of them, as Hypothesis chooses."""
        items = list(self.naive.allocations.items())
        return items[pick % len(items)]

    def new_end(self, wanted: datetime) -> datetime:
        """No two allocations end at the same instant, so that it is clear which one is used first."""
        while wanted in self.ends:
            wanted -= timedelta(seconds=1)
        self.ends.add(wanted)
        return wanted

    def by_user(self, crash_at: int | None, work: Callable[[], T]) -> T:
        """What people and their jobs do never makes more of what their organisation may use."""
        before = self.usable()
        outcome = self.survive(crash_at, work)
        after = self.usable()
        assert all(after[asset] <= before[asset] for asset in before)
        return outcome

    def usable(self) -> dict[str, int]:
        """Available and held, over all allocations of the organisation."""
        total: dict[str, int] = {}
        for (_, asset), (available, held, *_rest) in self.found_balances().items():
            total[asset] = total.get(asset, 0) + available + held
        return total

    def survive(self, crash_at: int | None, work: Callable[[], T]) -> T:
        """Do the work; if told so, die before its n-th statement (or its commit) first, then do it again."""
        if crash_at is not None:
            statements = count(1)

            def die(*_: object) -> None:
                if next(statements) == crash_at:
                    raise Crash

            def die_at_commit(_: Connection) -> None:
                raise Crash

            event.listen(self.engine, "before_cursor_execute", die)
            event.listen(self.engine, "commit", die_at_commit)
            try:
                work()
            except Crash:
                pass
            finally:
                event.remove(self.engine, "before_cursor_execute", die)
                event.remove(self.engine, "commit", die_at_commit)
            self.balances_are_those_of_the_naive_ledger()
        return work()

    def found_balances(self) -> dict[tuple[UUID, str], tuple[int, ...]]:
        """Available, held, consumed and expired of every line, as the database caches them."""
        with self.engine.begin() as conn:
            rows = conn.execute(
                select(_ACCOUNTS).where(_ACCOUNTS.c.owner_id.in_(list(self.naive.allocations)))
            )
            balances: dict[tuple[UUID, str], dict[str, int]] = {}
            for row in rows:
                balances.setdefault((row.owner_id, row.asset), {})[row.kind] = row.balance
        return {line: tuple(by_kind.get(kind, 0) for kind in _KINDS) for line, by_kind in balances.items()}

    @invariant()
    def balances_are_those_of_the_naive_ledger(self) -> None:
        """Invariants 2 to 6: whatever happened, each amount is where the naive ledger has it."""
        assert self.found_balances() == self.naive.balances()

    @invariant()
    def nothing_is_wrong_but_overruns(self) -> None:
        """Invariants 1 to 6 and 14, in SQL, over everything in the database."""
        with self.engine.begin() as conn:
            assert {found.rule for found in verify(conn)} <= {Rule.WITHIN_OVERDRAFT}

    @invariant()
    def the_mirror_follows_from_the_ledger(self) -> None:
        """Invariant 11: what a cluster may use is what came in and did not leave, and refunds on top."""
        with self.engine.begin() as conn:
            refunds = refunded_by_line(conn)
        for (key, asset), (available, held, consumed, _) in self.naive.balances().items():
            expected = self.naive.allocations[key].total[asset]
            expected += sum(job.came_back(asset) for job in self.naive.jobs_of(key))
            assert available + held + consumed + refunds.get((key, asset), 0) == expected

    def teardown(self) -> None:
        """Invariants 8, 9 and 10, once at the end of each story."""
        with self.engine.begin() as conn:
            ended = conn.execute(select(_RECORDS.c.ended_at).distinct()).scalars()
            for day in {city_day(at) for at in ended}:
                assert compare_day(conn, day) == []
            assert broken_statements(conn) == []
            hashes = {row.month: row.sha256 for row in conn.execute(select(_MONTHS))}
            assert self.closed_months.items() <= hashes.items()
            self._replays_to_the_same(conn)

    def _replays_to_the_same(self, conn: Connection) -> None:
        empty = sqlalchemy.create_engine("sqlite://")
        with empty.begin() as target:
            create_ledger_tables(target)
            replayed = replay(conn, target)
            assert replayed.wrong == []
            of_accounts = select(_ACCOUNTS).order_by(_ACCOUNTS.c.id)
            assert conn.execute(of_accounts).all() == target.execute(of_accounts).all()
            open_month = date(2027, 1, 1)
            for project_id in (self.books.project_id, self.student.project_id):
                assert statement(conn, month=open_month, project_id=project_id) == statement(
                    target, month=open_month, project_id=project_id
                )
        empty.dispose()
