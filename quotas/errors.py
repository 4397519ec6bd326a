"""What can go wrong with quotas; every leaf says what to do about it.

QuotaError
├── BudgetExceeded          no allocation has enough left
├── NothingCovers           no allocation of that time can pay for what was used
├── LimitExceeded           more at once, or in one job, than somebody may have
├── NoPriceList             nothing is priced at that time
├── UnpricedResource        the price list has no price for something that is used
├── HoldNotFound            the ledger holds nothing for that job
├── KeyReused               an idempotency key came again with other content
└── InvalidAmount           a number or name that makes no sense (also a ValueError)
"""

from uuid import UUID

from quotas.amounts import format_amount


class QuotaError(Exception):
    """Base of everything the quotas raise on purpose. Nothing was changed when it is raised."""


class BudgetExceeded(QuotaError):
    """No allocation of the project covers what a job needs; the facts are of the one that comes closest."""

    def __init__(self, project: str, asset: str, available: int, needed: int) -> None:
        super().__init__(
            f"Project {project} has {format_amount(asset, available)} left; "
            f"this job needs {format_amount(asset, needed)}. Shorten the walltime or request more quota."
        )
        self.project = project
        """The project's account name."""
        self.asset = asset
        self.available = available
        """The most that one hold may take: the balance and the overdraft, never below zero."""
        self.needed = needed


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
    """A number or a name that makes no sense; `field` says which."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
