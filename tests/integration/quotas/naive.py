"""A naive ledger in memory: what every verb should do, written as plainly as possible."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import UUID

from quotas.money import VND
from quotas.settle import RunUsage
from schedulers.jobstate import JobState

ENDED = {"expired", "closed"}


@dataclass
class NaiveAllocation:
    """What came in and is still there; what is held and consumed follows from the jobs."""

    project: UUID
    valid_to: datetime
    total: dict[str, int]
    """Granted, moved, carried and adjusted in, less what left the same way or expired."""
    overdraft: Mapping[str, int]
    parent: UUID | None = None
    state: str = "active"
    rolling: bool = False
    expired: Counter[str] = field(default_factory=Counter)


@dataclass
class NaiveJob:
    """A job with its hold: units of equal size, some of them open, and what its runs used."""

    job_id: UUID
    allocation: UUID
    cpu: int
    rate: int
    """Đồng for a CPU-second, pinned when it was held."""
    units_open: int
    at_once: int | None
    """None: its hold is strict."""
    held: dict[str, int]
    attempts: Iterator[int] = field(default_factory=count)
    runs: dict[str, RunUsage] = field(default_factory=dict)
    """The newest facts of each."""
    refunded: Counter[str] = field(default_factory=Counter)
    """By hand."""
    free_seconds: int | None = None
    """None: what a node failed is free. Else it is charged, and so much of it given back."""
    given_back: Counter[str] = field(default_factory=Counter)
    """By itself."""

    def unit(self, asset: str) -> int:
        return self.cpu * (self.rate if asset == VND else 1)

    def uses(self, one: RunUsage, asset: str) -> int:
        if one.state == JobState.NODE_FAIL and self.free_seconds is None:
            return 0
        return one.elapsed_seconds * (self.rate if asset == VND else 1)

    def charged(self, asset: str) -> int:
        return sum(self.uses(one, asset) for one in self.runs.values())

    def lost(self, asset: str) -> int:
        """What is to be given back of what a node failed."""
        left, total = self.free_seconds or 0, 0
        for one in sorted(self.runs.values(), key=lambda one: one.run_key):
            if one.state == JobState.NODE_FAIL and one.elapsed_seconds:
                seconds = min(left, one.elapsed_seconds)
                left -= seconds
                total += self.uses(one, asset) * seconds // one.elapsed_seconds
        return total

    def balance_refunds(self) -> None:
        """What was refunded by hand stays, as far as the job costs as much; what was lost comes beside it."""
        for asset in self.held:
            self.refunded[asset] = min(self.refunded[asset], self.charged(asset))
            self.given_back[asset] = min(self.lost(asset), self.charged(asset) - self.refunded[asset])

    def came_back(self, asset: str) -> int:
        return self.refunded[asset] + self.given_back[asset]

    def window(self, units_open: int) -> int:
        return units_open if self.at_once is None else min(units_open, self.at_once)

    def units_held(self, asset: str) -> int:
        if self.at_once is None:
            return self.units_open
        unit = self.unit(asset)
        begun = -(-self.held[asset] // unit) if unit else 0
        return min(self.units_open, max(self.at_once, begun))


class NaiveLedger:
    """All allocations and jobs."""

    def __init__(self) -> None:
        self.allocations: dict[UUID, NaiveAllocation] = {}
        self.jobs: list[NaiveJob] = []

    def jobs_of(self, allocation: UUID) -> list[NaiveJob]:
        return [job for job in self.jobs if job.allocation == allocation]

    def held(self, allocation: UUID, asset: str) -> int:
        return sum(job.held.get(asset, 0) for job in self.jobs_of(allocation))

    def consumed(self, allocation: UUID, asset: str) -> int:
        return sum(job.charged(asset) - job.came_back(asset) for job in self.jobs_of(allocation))

    def available(self, allocation: UUID, asset: str) -> int:
        total = self.allocations[allocation].total[asset]
        return total - self.held(allocation, asset) - self.consumed(allocation, asset)

    def free(self, allocation: UUID, asset: str) -> int:
        return max(self.available(allocation, asset), 0)

    def promisable(self, allocation: UUID, asset: str) -> int:
        overdraft = self.allocations[allocation].overdraft.get(asset, 0)
        return max(self.available(allocation, asset) + overdraft, 0)

    def is_usable(self, allocation: UUID, at: datetime) -> bool:
        one = self.allocations[allocation]
        return at < one.valid_to and self.is_active(allocation)

    def is_active(self, allocation: UUID) -> bool:
        """And all that it was split from."""
        one = self.allocations[allocation]
        return one.state == "active" and (one.parent is None or self.is_active(one.parent))

    def balances(self) -> dict[tuple[UUID, str], tuple[int, int, int, int]]:
        """Available, held, consumed and expired of every line."""
        return {
            (key, asset): (
                self.available(key, asset),
                self.held(key, asset),
                self.consumed(key, asset),
                one.expired[asset],
            )
            for key, one in self.allocations.items()
            for asset in one.total
        }

    def payer_of(self, project: UUID, amounts: Mapping[UUID, Mapping[str, int]], at: datetime) -> UUID | None:
        """The allocation that ends first of those that have what a job needs of them."""
        usable = [
            key for key, one in self.allocations.items() if one.project == project and self.is_usable(key, at)
        ]
        by_end = sorted(usable, key=lambda key: self.allocations[key].valid_to)
        return next(
            (
                key
                for key in by_end
                if all(amount <= self.promisable(key, asset) for asset, amount in amounts[key].items())
            ),
            None,
        )

    def settle(self, job: NaiveJob, new: list[RunUsage], at: datetime) -> None:
        """Units that close are freed; what must be held anew is, if it fits, and what was used is charged."""
        closed = min(sum(one.closes_unit for one in new), job.units_open)
        left = job.units_open - closed
        goes_on = job.at_once is None or self.is_usable(job.allocation, at)
        overdraft = self.allocations[job.allocation].overdraft
        for asset in job.held:
            before, held, unit = self.available(job.allocation, asset), job.held[asset], job.unit(asset)
            mine = held if job.at_once is None else max(held - closed * unit, 0)
            secure = min(left * unit, mine)
            full = max(job.window(left) * unit, secure) if goes_on else secure
            used = sum(job.uses(one, asset) for one in new)
            after = before + held - full - used
            if after >= min(before, -overdraft.get(asset, 0)):
                job.held[asset] = full
                continue
            of_open = sum(min(job.uses(one, asset), unit) for one in new if not one.closes_unit)
            job.held[asset] = max(secure - of_open, 0)
        job.units_open = left
        job.runs |= {one.run_key: one for one in new}
        if any(one.state == JobState.NODE_FAIL for one in new):
            job.balance_refunds()

    def correct(self, job: NaiveJob, one: RunUsage) -> None:
        if job.runs[one.run_key] == one:
            return
        job.runs[one.run_key] = one
        job.balance_refunds()

    def end(self, allocation: UUID, state: str, at: datetime) -> None:
        """What is free goes back to where it was split from, if that goes on, else it expires."""
        one = self.allocations[allocation]
        one.state = state
        parent = self.allocations.get(one.parent) if one.parent else None
        for asset in one.total:
            rest = self.free(allocation, asset)
            one.total[asset] -= rest
            if parent is not None and parent.state not in ENDED and at < parent.valid_to:
                parent.total[asset] += rest
            else:
                one.expired[asset] += rest

    def expire(self, at: datetime) -> None:
        for key, one in self.allocations.items():
            if one.state in ENDED:
                self.end(key, one.state, at)
            elif one.valid_to <= at or (one.parent and self.allocations[one.parent].state in ENDED):
                self.end(key, "expired", at)
