"""The ledger and a naive one beside it: what jobs do; Hypothesis drives both and compares them."""

from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from quotas.end_states import DEFAULT_POLICY, EndRules
from quotas.errors import BudgetExceeded, QuotaError, RefundRefused
from quotas.hold import Held, shortfall
from quotas.money import VND
from quotas.roll_hold import roll_hold
from schedulers.jobstate import JobState
from tests.integration.quotas.books import run
from tests.integration.quotas.driven import BUDGETS, CRASHES, PICKS
from tests.integration.quotas.naive import NaiveJob
from tests.integration.quotas.stewards import StewardMachine

ENDS = [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.PREEMPTED, JobState.NODE_FAIL]
SECONDS = st.sampled_from([0, 1, 40, 99, 130])


class LedgerMachine(StewardMachine):
    """Everything that people, jobs, administrators and time do to a ledger, with repeats and crashes."""

    @initialize(
        vnd=BUDGETS,
        cpu=st.none() | BUDGETS,
        rolling=st.booleans(),
        at_once=st.sampled_from([1, 2]),
        of_student=st.booleans(),
        free_seconds=st.sampled_from([None, 60, 150]),
    )
    def begin(  # noqa: PLR0913, PLR0917 - what Hypothesis may choose
        self,
        vnd: int,
        cpu: int | None,
        rolling: bool,  # noqa: FBT001
        at_once: int,
        of_student: bool,  # noqa: FBT001
        free_seconds: int | None,
    ) -> None:
        """In the midst of it: two grants, a part split off, and an array of which one task ended."""
        if free_seconds is not None:
            charged = {**DEFAULT_POLICY, JobState.NODE_FAIL: True}
            self.books.rules = EndRules(charged, {JobState.NODE_FAIL: free_seconds})
        self.grant(vnd=600, cpu=cpu, overdraft=0, days=2, rolling=rolling, crash_at=None)
        self.grant(vnd=vnd, cpu=None, overdraft=100, days=0, rolling=not rolling, crash_at=None)
        self.split_off(pick=0, amount=150, days=1, crash_at=None)
        self.submit(cpu=50, units=3, at_once=at_once, of_student=of_student, crash_at=None)
        if self.naive.jobs:
            self.settle(0, [40], JobState.COMPLETED, closes_unit=True, repeats=0, crash_at=None)

    def needs(self, cpu: int, units: int, at_once: int | None) -> dict[UUID, dict[str, int]]:
        """What a job would hold in each allocation, by its policy."""
        return {
            key: {
                asset: (cpu * self.rate if asset == VND else cpu)
                * (min(units, at_once) if one.rolling and at_once else units)
                for asset in one.total
            }
            for key, one in self.naive.allocations.items()
        }

    def take(self, held: Held, cpu: int, units: int, at_once: int | None) -> None:
        key = held.allocation_id
        rolls = self.naive.allocations[key].rolling and at_once is not None
        amounts = self.needs(cpu, units, at_once)[key]
        window = at_once if rolls else None
        free = self.books.rules.free_seconds.get(JobState.NODE_FAIL)
        job = NaiveJob(held.job_id, key, cpu, self.rate, units, window, dict(amounts), free_seconds=free)
        self.naive.jobs.append(job)

    @rule(
        cpu=st.sampled_from([0, 50, 100]),
        units=st.integers(1, 6),
        at_once=st.none() | st.integers(1, 3),
        of_student=st.booleans(),
        crash_at=CRASHES,
    )
    def submit(
        self,
        cpu: int,
        units: int,
        at_once: int | None,
        of_student: bool,  # noqa: FBT001
        crash_at: int | None,
    ) -> None:
        job_id = uuid4()
        books = self.student if of_student else self.books

        def hold() -> Held:
            return books.hold(job_id, cpu=cpu, units=units, at_once=at_once)

        payer = self.naive.payer_of(books.project_id, self.needs(cpu, units, at_once), books.at)
        try:
            held = self.by_user(crash_at, hold)
        except BudgetExceeded:
            assert payer is None
            return
        assert held.allocation_id == payer
        assert hold() == held
        self.take(held, cpu, units, at_once)

    @rule(sizes=st.lists(st.sampled_from([0, 50, 100, 250]), min_size=2, max_size=4), crash_at=CRASHES)
    def submit_together(self, sizes: list[int], crash_at: int | None) -> None:
        """Jobs of one batch: as if each came after the one before."""
        job_ids = [uuid4() for _ in sizes]

        def hold_together() -> list[Held | QuotaError]:
            return self.books.hold_together(*({"cpu": cpu} for cpu in sizes), jobs=job_ids)

        outcomes = self.by_user(crash_at, hold_together)
        for cpu, outcome in zip(sizes, outcomes, strict=True):
            payer = self.naive.payer_of(self.books.project_id, self.needs(cpu, 1, None), self.books.at)
            if payer is None:
                assert isinstance(outcome, BudgetExceeded)
                continue
            assert isinstance(outcome, Held)
            assert outcome.allocation_id == payer
            self.take(outcome, cpu, 1, None)

    @precondition(lambda self: self.naive.jobs)
    @rule(
        pick=PICKS,
        seconds=st.lists(SECONDS, min_size=1, max_size=3),
        state=st.sampled_from(ENDS),
        closes_unit=st.booleans(),
        repeats=st.integers(0, 3),
        crash_at=CRASHES,
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
        job = self.job(pick)
        new = [
            run(f"{job.job_id}:{next(job.attempts)}", seconds=s, state=state, closes_unit=closes_unit)
            for s in seconds
        ]
        told = [*list(job.runs.values())[:repeats], *new]
        charges = self.by_user(crash_at, lambda: self.books.settle(job.job_id, *told))
        assert [charge.is_new for charge in charges] == [one in new for one in told]
        assert [c.vnd for c in charges if c.is_new] == [job.uses(one, VND) for one in new]
        self.naive.settle(job, new, self.books.at)
        with self.engine.begin() as conn:
            full = {asset: job.window(job.units_open) * job.unit(asset) for asset in job.held}
            lacking = {asset: full[asset] - held for asset, held in job.held.items() if held < full[asset]}
            assert shortfall(conn, job.job_id) == lacking

    @precondition(lambda self: any(job.runs for job in self.naive.jobs))
    @rule(pick=PICKS, which=PICKS, seconds=SECONDS, state=st.sampled_from(ENDS), crash_at=CRASHES)
    def correct(self, pick: int, which: int, seconds: int, state: JobState, crash_at: int | None) -> None:
        """The accounting of the cluster revised what a run used."""
        with_runs = [job for job in self.naive.jobs if job.runs]
        job = with_runs[pick % len(with_runs)]
        key = list(job.runs)[which % len(job.runs)]
        revised = run(key, seconds=seconds, state=state, closes_unit=job.runs[key].closes_unit)
        self.survive(crash_at, lambda: self.steward.correct(job.job_id, revised))
        self.steward.correct(job.job_id, revised)
        self.naive.correct(job, revised)

    @precondition(lambda self: self.naive.jobs)
    @rule(pick=PICKS, percent=st.sampled_from([1, 30, 50, 100]), crash_at=CRASHES)
    def refund(self, pick: int, percent: int, crash_at: int | None) -> None:
        job, key = self.job(pick), uuid4().hex
        shares = {
            asset: min(job.charged(asset) * percent // 100, job.charged(asset) - job.came_back(asset))
            for asset in job.held
        }
        wanted = {asset: amount for asset, amount in shares.items() if amount}
        try:
            given = self.survive(crash_at, lambda: self.steward.refund(job.job_id, percent, key=key))
        except RefundRefused:
            assert not wanted
            return
        assert given.by_asset == wanted
        assert not self.steward.refund(job.job_id, percent, key=key).is_new
        job.refunded.update(wanted)

    @precondition(lambda self: any(job.units_open for job in self.naive.jobs))
    @rule(pick=PICKS, part=st.integers(1, 6), crash_at=CRASHES)
    def release(self, pick: int, part: int, crash_at: int | None) -> None:
        """Tasks of an array that will never start."""
        open_jobs = [job for job in self.naive.jobs if job.units_open]
        job = open_jobs[pick % len(open_jobs)]
        units = min(part, job.units_open)
        self.by_user(crash_at, lambda: self.books.release(job.job_id, units))
        job.units_open -= units
        job.held = {a: min(amount, job.units_open * job.unit(a)) for a, amount in job.held.items()}

    @precondition(lambda self: any(job.at_once for job in self.naive.jobs))
    @rule(pick=PICKS, units=st.integers(1, 6), crash_at=CRASHES)
    def start_tasks(self, pick: int, units: int, crash_at: int | None) -> None:
        """Tasks of a rolling array are about to start: each needs its unit."""
        rolling = [job for job in self.naive.jobs if job.at_once]
        job = rolling[pick % len(rolling)]
        wanted = min(units, job.units_open)
        sized = [asset for asset in job.held if job.unit(asset)]
        held = min([wanted, *(job.held[a] // job.unit(a) for a in sized)])
        is_usable = self.naive.is_usable(job.allocation, self.books.at)
        left = {a: self.naive.promisable(job.allocation, a) if is_usable else 0 for a in sized}
        payable = min([wanted, *((left[a] + job.held[a]) // job.unit(a) for a in sized)])

        def roll() -> int:
            with self.engine.begin() as conn:
                return roll_hold(conn, job_id=job.job_id, units=units, at=self.books.at)

        assert self.by_user(crash_at, roll) == max(held, payable)
        assert roll() == max(held, payable)
        if payable > held:
            job.held = {a: max(amount, payable * job.unit(a)) for a, amount in job.held.items()}

    @precondition(lambda self: self.naive.jobs)
    @rule(pick=PICKS, cpu=st.sampled_from([0, 0, 60, 120, 200]), crash_at=CRASHES)
    def top_up(self, pick: int, cpu: int, crash_at: int | None) -> None:
        """A longer walltime, or (with 0) a requeued run that is about to be placed again."""
        job = self.job(pick)
        larger = max(job.cpu, cpu)
        rates = {asset: job.rate if asset == VND else 1 for asset in job.held}
        wanted = {a: job.units_held(a) * larger * rates[a] - held for a, held in job.held.items()}
        is_usable = self.naive.is_usable(job.allocation, self.books.at)
        fits = all(
            amount <= (self.naive.promisable(job.allocation, asset) if is_usable else 0)
            for asset, amount in wanted.items()
            if amount
        )
        try:
            added = self.by_user(crash_at, lambda: self.books.top_up(job.job_id, cpu=cpu))
        except BudgetExceeded:
            assert not fits
            return
        assert fits
        assert added == {asset: amount for asset, amount in wanted.items() if amount}
        assert self.books.top_up(job.job_id, cpu=cpu) == {}
        if any(wanted.values()):
            job.cpu = larger
        job.held = {asset: held + wanted[asset] for asset, held in job.held.items()}

    @precondition(lambda self: self.naive.jobs)
    @rule(pick=PICKS, cpu=st.sampled_from([10, 60, 100, 300]), crash_at=CRASHES)
    def trim(self, pick: int, cpu: int, crash_at: int | None) -> None:
        """A shorter walltime."""
        job = self.job(pick)
        smaller = min(job.cpu, cpu)
        rates = {asset: job.rate if asset == VND else 1 for asset in job.held}
        left = {a: min(held, job.units_held(a) * smaller * rates[a]) for a, held in job.held.items()}
        freed = self.by_user(crash_at, lambda: self.books.trim(job.job_id, cpu=cpu))
        assert freed == {asset: held - left[asset] for asset, held in job.held.items() if held > left[asset]}
        if job.units_open:
            job.cpu = smaller
        job.held = left

    @precondition(lambda self: self.naive.jobs)
    @rule(pick=PICKS, crash_at=CRASHES)
    def close(self, pick: int, crash_at: int | None) -> None:
        """The job ended."""
        job = self.job(pick)
        self.by_user(crash_at, lambda: self.books.close(job.job_id))
        self.books.close(job.job_id)
        job.units_open, job.held = 0, dict.fromkeys(job.held, 0)

    def job(self, pick: int) -> NaiveJob:
        """One of them, as Hypothesis chooses."""
        return self.naive.jobs[pick % len(self.naive.jobs)]
