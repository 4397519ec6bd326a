"""What can go wrong with quotas; every leaf says what to do about it.

QuotaError
├── BudgetExceeded          no allocation has enough left
│   ├── NotEnoughFree       an allocation has less free than shall be taken from it
│   ├── AllocationStopped   what would pay is suspended or closed, or was split from what is
│   └── StorageExceeded     as much lies in the project's workspace as was granted, or more
├── AllocationNotFound      there is no such allocation
├── AllocationStateRefused  its state or period does not allow that
├── RefundRefused           more than was charged, or nothing was
├── NothingCovers           no allocation of that time can pay for what was used
├── LimitExceeded           more at once, or in one job, than somebody may have
├── NoPriceList             nothing is priced at that time
├── PricesChanged           somebody published other prices in the meantime
├── PriceListNotPublished   a price list that is no more, or never was, in force or to come
│   └── PriceListRetired    a job was priced by one that was retired in the meantime
├── DraftNotFound           a price list in the making that was published or discarded
├── DraftChanged            somebody edited it in the meantime
├── UnpricedResource        the price list has no price for something that is used
├── MonthNotClosable        closed, not over, an earlier one open, or something of it is not settled
├── HoldNotFound            the ledger holds nothing for that job
├── KeyReused               an idempotency key came again with other content
└── InvalidAmount           a number or name that makes no sense (also a ValueError)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from quotas.amounts import STORAGE, comfortable_gib, format_amount, format_gib


class QuotaError(Exception):
    """Base of everything the quotas raise on purpose. Nothing was changed when it is raised."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """What an allocation lacks of one asset."""

    asset: str
    available: int
    needed: int

    @property
    def missing(self) -> int:
        """So much more, and it would be enough."""
        return max(1, self.needed - self.available)


class BudgetExceeded(QuotaError):
    """No allocation of the project covers what a job needs; the facts are of the one that comes closest."""

    def __init__(
        self, project: str, asset: str, available: int, needed: int, *, also: Sequence[Shortage] = ()
    ) -> None:
        more = ", ".join(format_amount(short.asset, short.missing) for short in also)
        beside = f" It also lacks {more}." if more else ""
        super().__init__(
            f"Project {project} has {format_amount(asset, available)} left; "
            f"this job needs {format_amount(asset, needed)}.{beside} "
            "Shorten the walltime or request more quota."
        )
        self.project = project
        """The project's account name."""
        self.asset = asset
        self.available = available
        """The most that one hold may take: the balance and the overdraft, never below zero."""
        self.needed = needed
        self.also = tuple(also)
        """What else is short in the same allocation."""

    @property
    def shortages(self) -> tuple[Shortage, ...]:
        """All that is short in the allocation that comes closest, the worst first."""
        return (Shortage(self.asset, self.available, self.needed), *self.also)

    @property
    def missing(self) -> dict[str, int]:
        """So much more of each asset, and it would have gone through."""
        return {short.asset: short.missing for short in self.shortages}


class AllocationStopped(BudgetExceeded):
    """An allocation would pay, were it not suspended, or split from one that is suspended or has ended."""

    def __init__(  # noqa: PLR0913 - the facts of one refusal
        self, project: str, asset: str, needed: int, *, allocation_id: UUID, of_project: str, state: str
    ) -> None:
        super().__init__(project, asset, 0, needed)
        advice = "Ask an administrator to resume it." if state == "suspended" else "Request more quota."
        message = (
            f"Project {project} is paid for by allocation {allocation_id} of project {of_project}, "
            f"which is {state}. {advice}"
        )
        self.args = (message,)
        self.allocation_id = allocation_id
        """What stops it."""
        self.of_project = of_project
        """The account name of its project."""
        self.state = state


class NotEnoughFree(BudgetExceeded):
    """Less is free in an allocation than shall be moved, taken back or carried over."""

    def __init__(self, allocation_id: UUID, asset: str, free: int, asked: int) -> None:
        super().__init__(str(allocation_id), asset, free, asked)
        message = (
            f"Allocation {allocation_id} has {format_amount(asset, free)} free, "
            f"{format_amount(asset, asked)} shall be taken. What jobs hold or used stays where it is."
        )
        self.args = (message,)
        self.allocation_id = allocation_id


class StorageExceeded(BudgetExceeded):
    """As much as was granted lies in a project's workspace, or more: no new job may add to it."""

    def __init__(
        self, project: str, *, allocated_bytes: int, granted_gib: int, measured_at: datetime
    ) -> None:
        super().__init__(project, STORAGE, granted_gib, comfortable_gib(allocated_bytes))
        message = (
            f"Project {project} has {format_gib(allocated_bytes)} GiB in its workspace, and "
            f"{granted_gib} GiB of storage are granted (measured at {measured_at:%Y-%m-%d %H:%M} UTC). "
            "What runs goes on. Delete what nobody needs and have it measured again, or request more."
        )
        self.args = (message,)
        self.allocated_bytes = allocated_bytes
        self.granted_gib = granted_gib
        self.measured_at = measured_at


class AllocationNotFound(QuotaError):
    """There is no allocation with that id."""

    def __init__(self, allocation_id: UUID) -> None:
        super().__init__(f"There is no allocation {allocation_id}.")
        self.allocation_id = allocation_id


class AllocationStateRefused(QuotaError):
    """An allocation is not in a state, or not in its period, in which that can be done."""

    def __init__(self, allocation_id: UUID, state: str, advice: str, /, **facts: str) -> None:
        super().__init__(f"Allocation {allocation_id} is {state}. {advice % facts if facts else advice}")
        self.allocation_id = allocation_id
        self.state = state
        self.advice = advice
        """With %(name)s where one of the facts goes, so that whoever shows it can translate it."""
        self.facts = facts


class RefundRefused(QuotaError):
    """A refund would give back more than the job was charged and has not got back yet."""

    def __init__(self, job_id: UUID, asset: str, left: int, asked: int) -> None:
        super().__init__(
            f"Of what job {job_id} was charged, {format_amount(asset, left)} can be refunded; "
            f"{format_amount(asset, asked)} was asked."
        )
        self.job_id = job_id
        self.asset = asset
        self.left = left
        self.asked = asked


class NothingCovers(QuotaError):
    """A project had no allocation, when a run started, that could pay for what it used."""

    def __init__(self, project: str, asset: str) -> None:
        super().__init__(
            f"Project {project} had no allocation that pays for {asset}. Grant one that covers that time."
        )
        self.project = project
        self.asset = asset


class LimitExceeded(QuotaError):
    """A job asks for more than its organisation, project or person may have."""

    def __init__(  # noqa: PLR0913 - the facts of one refusal, all by keyword
        self, *, limit: str, owner_kind: str, owner: str, value: int, asked: int, in_use: int, raised_by: str
    ) -> None:
        beside = f" and {in_use} are in use" if in_use else ""
        super().__init__(
            f"The limit of {owner_kind} {owner} is {value} {limit}{beside}; this job asks for {asked}. "
            f"Ask for less, or ask {raised_by} to raise it."
        )
        self.limit = limit
        self.owner_kind = owner_kind
        self.owner = owner
        self.value = value
        self.asked = asked
        self.in_use = in_use
        self.raised_by = raised_by


class NoPriceList(QuotaError):
    """No price list is in force."""

    def __init__(self) -> None:
        super().__init__(
            "No price list is in force. An administrator must publish one before jobs can be priced."
        )


class PricesChanged(QuotaError):
    """Prices were published since the ones that somebody compared theirs with."""

    def __init__(self, seen: int, latest: int) -> None:
        super().__init__(
            f"Version {latest} of the prices was published since you compared with version {seen}. "
            "Look at what differs now, then publish again."
        )
        self.seen = seen
        self.latest = latest


class PriceListNotPublished(QuotaError):
    """A price list that was retired or never published, or that cannot be retired: it is the only one."""

    def __init__(self, version: int, problem: str) -> None:
        super().__init__(f"Price list {version} {problem}.")
        self.version = version
        self.problem = problem


class PriceListRetired(PriceListNotPublished):
    """A price list was retired after a job was priced by it, and before its budget was held."""

    def __init__(self, version: int) -> None:
        super().__init__(version, "was retired a moment ago. Try again, at the prices that are in force now")


class DraftNotFound(QuotaError):
    """A price list in the making that somebody published or discarded, or that never was."""

    def __init__(self, draft_id: int) -> None:
        super().__init__(f"There is no draft {draft_id} any more. It was published or discarded.")
        self.draft_id = draft_id


class DraftChanged(QuotaError):
    """Somebody edited the same draft in the meantime."""

    def __init__(self, name: str, edition: int) -> None:
        super().__init__(
            f"Somebody changed the draft {name!r} in the meantime. Load it again, then repeat your change."
        )
        self.name = name
        self.edition = edition


class UnpricedResource(QuotaError):
    """Something that would be used has no price; it is not taken to be free."""

    def __init__(self, tres: str, partition: str, version: int) -> None:
        super().__init__(
            f"Price list {version} has no price for {tres} in partition {partition}. "
            "Ask for another resource, or ask an administrator to price it."
        )
        self.tres = tres
        self.partition = partition
        self.version = version


class MonthRefusal(StrEnum):
    """Why a month cannot be closed."""

    CLOSED = "closed"
    EARLIER_IS_OPEN = "earlier_is_open"
    NOT_OVER = "not_over"
    UNSETTLED = "unsettled"


class MonthNotClosable(QuotaError):
    """A month that cannot be closed now."""

    def __init__(
        self, month: date, why: MonthRefusal, *, earlier: date | None = None, unsettled: int = 0
    ) -> None:
        explained = {
            MonthRefusal.CLOSED: "it is closed already.",
            MonthRefusal.EARLIER_IS_OPEN: f"{earlier or month:%Y-%m} is open. Close months in their order.",
            MonthRefusal.NOT_OVER: "it has not been over for an hour. Try again then.",
            MonthRefusal.UNSETTLED: (
                f"{unsettled} ended runs of it are not settled. Wait for them, or close it with a reason: "
                "what they used is then posted to the next month, as late."
            ),
        }
        super().__init__(f"{month:%Y-%m} cannot be closed: {explained[why]}")
        self.month = month
        self.why = why
        self.earlier = earlier
        self.unsettled = unsettled


class HoldNotFound(QuotaError):
    """The ledger knows no hold of this job, so there is no budget that could pay for it."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"Nothing was ever held for job {job_id}")
        self.job_id = job_id


class KeyReused(QuotaError):
    """The same idempotency key came again, with other content."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key!r} was used for something else. Use a new key for a new request.")
        self.key = key


class InvalidAmount(QuotaError, ValueError):
    """A number or a name that makes no sense; `field` says which.

    `text` says why, with %(name)s where one of the `facts` goes, so that whoever shows it can translate it;
    `problem` is the whole sentence in English.
    """

    def __init__(self, field: str, text: str, /, **facts: str | int) -> None:
        self.field = field
        self.text = text
        self.facts = facts
        self.problem = text % facts if facts else text
        super().__init__(f"{field}: {self.problem}")
