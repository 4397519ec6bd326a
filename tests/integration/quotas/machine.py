"""A naive ledger in memory beside the real one: Hypothesis drives both and compares them after every step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TypeVar
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, Engine, event

from quotas.errors import BudgetExceeded, QuotaError
from quotas.hold import Held, shortfall
from quotas.money import VND
from quotas.settle import RunUsage
from quotas.verify import Rule, verify
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, Books, run

T = TypeVar("T")

FREE_ENDS = {JobState.NODE_FAIL, JobState.BOOT_FAIL}
ENDS = [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.PREEMPTED, JobState.NODE_FAIL]
BUDGETS = st.sampled_from([0, 250, 300, 600])
"""Small, beside jobs of up to 600, so that budgets run out and top-ups do not fit."""


class Crash(Exception):
    """The process died here: the transaction never commits."""


@dataclass
class NaiveAllocation:
    """What was granted, and what charged runs used of it; everything else follows from the open holds."""

    valid_to: datetime
    granted: dict[str, int]
    overdraft: dict[str, int]
    consumed: dict[str, int]


@dataclass
class NaiveJob:
    """A job with its hold: units of equal size, some of them open."""

    job_id: UUID
    allocation: UUID
    cpu: int
    units_open: int
    held: dict[str, int]
    attempts: Iterator[int] = field(default_factory=count)
    runs: list[RunUsage] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    """Grants, holds, settlements, repeats, releases and crashes, in any order."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.books = Books.open(self.engine, account=f"p-{uuid4().hex}")
        self.allocations: dict[UUID, NaiveAllocation] = {}
        self.jobs: list[NaiveJob] = []

    # What the naive ledger says.

    def held(self, allocation: UUID, asset: str) -> int:
        return sum(job.held.get(asset, 0) for job in self.jobs if job.allocation == allocation)

    def available(self, allocation: UUID, asset: str) -> int:
        naive = self.allocations[allocation]
        return naive.granted[asset] - naive.consumed[asset] - self.held(allocation, asset)

    def fits(self, allocation: UUID, amount: int) -> bool:
        naive = self.allocations[allocation]
        return all(
            self.available(allocation, a) + naive.overdraft[a] >= amount for a in naive.granted if amount
        )

    def payer_of(self, amount: int) -> UUID | None:
        """The allocation that expires first of those that have enough."""
        by_end = sorted(self.allocations, key=lambda allocation: self.allocations[allocation].valid_to)
        return next((allocation for allocation in by_end if self.fits(allocation, amount)), None)

    # What happens.

    @initialize(vnd=BUDGETS, cpu=st.none() | BUDGETS)
    def first_grant(self, vnd: int, cpu: int | None) -> None:
        self.grant(vnd=vnd, cpu=cpu, overdraft=0, days=0, crash_at=None)

    @precondition(lambda self: len(self.allocations) < 3)
    @rule(
        vnd=BUDGETS,
        cpu=st.none() | BUDGETS,
        overdraft=st.sampled_from([0, 0, 100]),
        days=st.integers(0, 5),
        crash_at=st.none() | st.integers(1, 12),
    )
    def grant(self, vnd: int, cpu: int | None, overdraft: int, days: int, crash_at: int | None) -> None:
        # No two allocations end at the same instant, so that it is clear which one is used first.
        valid_to = END - timedelta(days=days, seconds=len(self.allocations))
        lines = {VND: vnd} if cpu is None else {VND: vnd, "cpu": cpu}
        allowed = dict.fromkeys(lines, overdraft)
        key = uuid4().hex

        def grant() -> UUID:
            return self.books.grant(lines, valid_to=valid_to, overdraft=allowed, key=key)

        allocation = self.survive(crash_at, grant)
        assert grant() == allocation
        self.allocations[allocation] = NaiveAllocation(valid_to, lines, allowed, dict.fromkeys(lines, 0))

    @rule(cpu=st.sampled_from([0, 50, 100]), units=st.integers(1, 6), crash_at=st.none() | st.integers(1, 9))
    def submit(self, cpu: int, units: int, crash_at: int | None) -> None:
        job_id = uuid4()

        def hold() -> Held:
            return self.books.hold(job_id, cpu=cpu, units=units)

        payer = self.payer_of(cpu * units)
        try:
            held = self.survive(crash_at, hold)
        except BudgetExceeded:
            assert payer is None
            return
        assert held.allocation_id == payer
        assert hold() == held
        amounts = dict.fromkeys(self.allocations[payer].granted, cpu * units)
        self.jobs.append(NaiveJob(job_id, payer, cpu, units, amounts))

    @rule(
        sizes=st.lists(st.sampled_from([0, 50, 100, 250]), min_size=2, max_size=4),
        crash_at=st.none() | st.integers(1, 9),
    )
    def submit_together(self, sizes: list[int], crash_at: int | None) -> None:
        """Jobs of one batch: as if each came after the one before."""
        job_ids = [uuid4() for _ in sizes]

        def hold_together() -> list[Held | QuotaError]:
            return self.books.hold_together(*({"cpu": cpu} for cpu in sizes), jobs=job_ids)

        outcomes = self.survive(crash_at, hold_together)
        for job_id, cpu, outcome in zip(job_ids, sizes, outcomes, strict=True):
            payer = self.payer_of(cpu)
            if payer is None:
                assert isinstance(outcome, BudgetExceeded)
                continue
            assert isinstance(outcome, Held)
            assert outcome.allocation_id == payer
            amounts = dict.fromkeys(self.allocations[payer].granted, cpu)
            self.jobs.append(NaiveJob(job_id, payer, cpu, 1, amounts))

    @precondition(lambda self: self.jobs)
    @rule(
        pick=st.integers(0, 100),
        seconds=st.lists(st.sampled_from([0, 1, 40, 99, 130]), min_size=1, max_size=3),
        state=st.sampled_from(ENDS),
        closes_unit=st.booleans(),
        repeats=st.integers(0, 3),
        crash_at=st.none() | st.integers(1, 12),
    )
    def settle(  # noqa: PLR0913, PLR0917 - what Hypothesis may choose
        self,
        pick: int,
        seconds: list[int],
        state: JobState,
        closes_unit: bool,  # noqa: FBT001
        repeats: int,
        crash_at: int | None,
    ) -> None:
        """Runs of one job end, told together with some that were told before; late ones, too."""
        job = self.jobs[pick % len(self.jobs)]
        new = [
            run(f"{job.job_id}:{next(job.attempts)}", seconds=s, state=state, closes_unit=closes_unit)
            for s in seconds
        ]
        told = [*job.runs[:repeats], *new]
        charges = self.survive(crash_at, lambda: self.books.settle(job.job_id, *told))
        assert [charge.is_new for charge in charges] == [one in new for one in told]
        job.runs += new
        used = 0 if state in FREE_ENDS else sum(seconds)
        assert sum(charge.vnd for charge in charges if charge.is_new) == used
        if closes_unit:
            job.units_open = max(job.units_open - len(new), 0)
        used_of_open_units = 0 if closes_unit or not used else sum(min(s, job.cpu) for s in seconds)
        self.follow(job, used, used_of_open_units)

    def follow(self, job: NaiveJob, used: int, used_of_open_units: int) -> None:
        """Every open unit is held in full, unless the budget does not allow the top-up that this needs."""
        naive = self.allocations[job.allocation]
        full = job.units_open * job.cpu
        for asset in naive.granted:
            before = self.available(job.allocation, asset)
            left = max(min(full, job.held[asset]) - used_of_open_units, 0)
            naive.consumed[asset] += used
            job.held[asset] = full
            topped_up = self.available(job.allocation, asset)
            if topped_up < before and topped_up < -naive.overdraft[asset]:
                job.held[asset] = left
        with self.books.engine.begin() as conn:
            lacking = {asset: full - held for asset, held in job.held.items() if held < full}
            assert shortfall(conn, job.job_id) == lacking

    @precondition(lambda self: any(job.units_open for job in self.jobs))
    @rule(pick=st.integers(0, 100), part=st.integers(1, 6), crash_at=st.none() | st.integers(1, 6))
    def release(self, pick: int, part: int, crash_at: int | None) -> None:
        open_jobs = [job for job in self.jobs if job.units_open]
        job = open_jobs[pick % len(open_jobs)]
        units = min(part, job.units_open)
        self.survive(crash_at, lambda: self.books.release(job.job_id, units))
        job.units_open -= units
        job.held = {asset: min(amount, job.units_open * job.cpu) for asset, amount in job.held.items()}

    @precondition(lambda self: self.jobs)
    @rule(
        pick=st.integers(0, 100),
        cpu=st.sampled_from([0, 0, 60, 120, 200]),
        crash_at=st.none() | st.integers(1, 12),
    )
    def top_up(self, pick: int, cpu: int, crash_at: int | None) -> None:
        """A longer walltime, or (with 0) a requeued run that is about to be placed again."""
        job = self.jobs[pick % len(self.jobs)]
        unit = max(job.cpu, cpu)
        wanted = {asset: job.units_open * unit - held for asset, held in job.held.items()}
        naive = self.allocations[job.allocation]
        fits = all(
            self.available(job.allocation, asset) + naive.overdraft[asset] >= amount
            for asset, amount in wanted.items()
            if amount
        )
        try:
            added = self.survive(crash_at, lambda: self.books.top_up(job.job_id, cpu=cpu))
        except BudgetExceeded:
            assert not fits
            return
        assert fits
        assert added == {asset: amount for asset, amount in wanted.items() if amount}
        assert self.books.top_up(job.job_id, cpu=cpu) == {}
        if job.units_open:
            job.cpu = unit
        job.held = {asset: held + wanted[asset] for asset, held in job.held.items()}

    @precondition(lambda self: self.jobs)
    @rule(
        pick=st.integers(0, 100),
        cpu=st.sampled_from([10, 60, 100, 300]),
        crash_at=st.none() | st.integers(1, 6),
    )
    def trim(self, pick: int, cpu: int, crash_at: int | None) -> None:
        """A shorter walltime."""
        job = self.jobs[pick % len(self.jobs)]
        unit = min(job.cpu, cpu)
        left = {asset: min(held, job.units_open * unit) for asset, held in job.held.items()}
        freed = self.survive(crash_at, lambda: self.books.trim(job.job_id, cpu=cpu))
        assert freed == {asset: held - left[asset] for asset, held in job.held.items() if held > left[asset]}
        assert self.books.trim(job.job_id, cpu=cpu) == {}
        if job.units_open:
            job.cpu = unit
        job.held = left

    @precondition(lambda self: self.jobs)
    @rule(pick=st.integers(0, 100), crash_at=st.none() | st.integers(1, 6))
    def close(self, pick: int, crash_at: int | None) -> None:
        job = self.jobs[pick % len(self.jobs)]
        self.survive(crash_at, lambda: self.books.close(job.job_id))
        self.books.close(job.job_id)
        job.units_open, job.held = 0, dict.fromkeys(job.held, 0)

    # What must be true.

    @invariant()
    def balances_are_those_of_the_naive_ledger(self) -> None:
        expected: dict[str, tuple[int, int, int]] = {}
        for allocation, naive in self.allocations.items():
            for asset in naive.granted:
                one = (self.available(allocation, asset), self.held(allocation, asset), naive.consumed[asset])
                added = zip(expected.get(asset, (0, 0, 0)), one, strict=True)
                available, held, consumed = (a + b for a, b in added)
                expected[asset] = (available, held, consumed)
        found = {a: (b.available, b.held, b.consumed) for a, b in self.books.balances.items()}
        assert found == expected

    @invariant()
    def nothing_is_wrong_but_overruns(self) -> None:
        with self.books.engine.begin() as conn:
            assert {found.rule for found in verify(conn)} <= {Rule.WITHIN_OVERDRAFT}

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
