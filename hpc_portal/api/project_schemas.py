"""What one look at a project, and its charges, look like over HTTP."""

from datetime import date, datetime
from uuid import UUID

from hpc_portal.api.balance_schemas import AssetBalanceReply
from hpc_portal.api.people_schemas import ProjectReply
from hpc_portal.api.schemas import Reply
from hpc_portal.app.home.burn_down import BurnDown
from hpc_portal.app.home.project_overview import PersonsUse, ProjectOverview
from schedulers.jobstate import JobState


class DayLeftReply(Reply):
    """What was left at the end of a day, as if all of today's budget had been there from the first."""

    day: date
    left_vnd: int


class BudgetForecastReply(Reply):
    """When the budget is used up at the pace of the last weeks; null: not before it expires."""

    daily_vnd: int
    exhausted_on: date | None
    earliest_on: date | None
    """One future in ten is earlier."""
    latest_on: date | None
    """One future in ten is later."""


class BurnDownReply(Reply):
    """The last four weeks, and what becomes of the rest."""

    days: list[DayLeftReply]
    granted_vnd: int
    last_day: date
    """The last on which any of it may be used."""
    forecast: BudgetForecastReply | None
    """null: the history is too short to say anything."""

    @classmethod
    def of(cls, found: BurnDown) -> "BurnDownReply":
        """Day by day."""
        ahead = found.forecast
        return cls(
            days=[
                DayLeftReply(day=day, left_vnd=left) for day, left in zip(found.days, found.left, strict=True)
            ],
            granted_vnd=found.granted,
            last_day=found.last_day,
            forecast=BudgetForecastReply(
                daily_vnd=ahead.daily,
                exhausted_on=ahead.exhausted_on,
                earliest_on=ahead.earliest_on,
                latest_on=ahead.latest_on,
            )
            if ahead
            else None,
        )


class PersonsUseReply(Reply):
    """What one person used in this month."""

    user: str
    """Empty for all others together, or for somebody who has no account any more."""
    is_rest: bool
    """All others together."""
    runs: int
    vnd: int
    cpu_seconds: int
    gpu_seconds: int

    @classmethod
    def of(cls, one: PersonsUse) -> "PersonsUseReply":
        """Without what only reports need."""
        usage = one.usage
        return cls(
            user=one.user,
            is_rest=one.is_rest,
            runs=usage.runs,
            vnd=usage.vnd,
            cpu_seconds=usage.cpu_seconds,
            gpu_seconds=usage.gpu_seconds,
        )


class ProjectOverviewReply(Reply):
    """One look at a project."""

    project: ProjectReply
    by_asset: dict[str, AssetBalanceReply]
    burn_down: BurnDownReply | None
    """null: the budget is not in đồng."""
    month: date
    charged_vnd: int
    """In this month."""
    people: list[PersonsUseReply]
    jobs_running: int
    jobs_pending: int
    requests_waiting: int

    @classmethod
    def of(cls, found: ProjectOverview) -> "ProjectOverviewReply":
        """The same figures as on the project's page."""
        return cls(
            project=ProjectReply.model_validate(found.project),
            by_asset={
                asset: AssetBalanceReply.model_validate(amounts)
                for asset, amounts in found.balance.by_asset.items()
            },
            burn_down=BurnDownReply.of(found.burn_down) if found.burn_down else None,
            month=found.month,
            charged_vnd=found.used.vnd,
            people=[PersonsUseReply.of(one) for one in found.people],
            jobs_running=found.jobs.running,
            jobs_pending=found.jobs.pending,
            requests_waiting=found.requests_waiting,
        )


class ChargeLineReply(Reply):
    """`list_vnd` is `tres_seconds / 3600 x rate_vnd_per_hour`, rounded once; memory counts in GiB."""

    tres: str
    tres_seconds: int
    rate_vnd_per_hour: int
    list_vnd: int
    subsidy_vnd: int
    vnd: int


class ChargeReply(Reply):
    """One run of a job as it stands in the books; `vnd` is what the project paid."""

    id: int
    job_id: UUID
    job_name: str
    """Empty for a job that is not kept any more."""
    task_index: int
    attempt: int
    user: str
    template: str
    cluster: str
    partition: str
    state: JobState
    ended_at: datetime
    elapsed_seconds: int
    is_charged: bool
    """false: nobody pays for such an end, and there are no lines."""
    lines: list[ChargeLineReply]
    list_vnd: int
    subsidy_vnd: int
    vnd: int
    price_list_version: int
    subsidy_basis_points: int
