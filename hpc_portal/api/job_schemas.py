"""Bodies and replies about jobs: submitted, listed, followed, estimated."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.app.jobs.edit_script import MOST_CHARACTERS
from hpc_portal.app.jobs.lifecycle import JobOrigin, Phase
from hpc_portal.app.jobs.wish import HeldBy
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState


class SubmitBody(Body):
    """What to run: a template with its parameters, or a complete job specification."""

    project: Text
    """Account name of the project that pays."""
    template: Text | None = None
    parameters: dict[str, Any] | None = None
    script: Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)] | None = None
    """Of a template: what runs instead of the script that it makes, edited by hand. The estimate's `spec` has
    the one that it makes; `GET /templates/{name}` says whether it may be."""
    spec: JobSpec | None = None


class SubmittedReply(Reply):
    """The job that a submission made, or had made before under the same Idempotency-Key."""

    id: UUID
    is_new: bool


class PendingReasonReply(Reply):
    """Why what waits of a job waits, in the language of your Accept-Language header (en, vi)."""

    raw: str
    """The scheduler's own word, or the portal's."""
    text: str
    """The reason in words; the raw one where it is not known."""
    who: str
    """Who can change it: nobody, you, project, administrator; empty where it is not known."""
    advice: str
    tasks_waiting: int
    tasks_running: int
    """Not 0: only part of the job waits."""


class JobReply(Reply):
    """A job in a list. `phase` is where the portal stands, `state` what the scheduler says."""

    id: UUID
    name: str
    template: str | None
    project: str
    organisation: str
    user: str
    scheduler: str
    """The cluster."""
    partition: str
    is_array: bool
    origin: JobOrigin
    """`external`: submitted past the portal, with sbatch; charged when it ended."""
    phase: Phase
    state: JobState
    state_reason: str
    pending_reason: PendingReasonReply | None = None
    """Null when nothing of the job waits, or nobody has said why."""
    held_by: HeldBy | None
    exit_code: int | None
    exit_signal: int | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None
    cancel_requested_at: datetime | None
    tasks_total: int
    tasks_pending: int
    tasks_running: int
    tasks_completed: int
    tasks_failed: int
    tasks_cancelled: int
    estimated_vnd: int
    charged_vnd: int


class WaitedForLimitReply(Reply):
    """The limit that keeps a job from starting now."""

    limit: str
    owner_kind: str
    owner: str
    value: int
    asked: int
    in_use: int
    raised_by: str


class WaitedForLicenseReply(Reply):
    """A licence feature that keeps a job from starting now; who has it is at /licenses."""

    feature: str
    asked: int
    free: int
    total: int
    outside: int
    """In use by people and machines that are not the clusters'."""
    others: int
    """Held by running jobs that you may not see."""


class ExpectedStartReply(Reply):
    """When the first task would probably start."""

    earliest: datetime
    latest: datetime | None
    reason: str


class JobDetailReply(JobReply):
    """One job with what was asked."""

    waits_for_limit: WaitedForLimitReply | None = None
    """Null when it waits for no limit, or for one of the cluster's own."""
    waits_for_licenses: list[WaitedForLicenseReply] = Field(default_factory=list)
    """Empty when it waits for no licence."""
    expected_start: ExpectedStartReply | None = None
    """Null once something of it has started, or nothing will."""

    spec: JobSpec
    parameters: dict[str, Any] | None
    scheduler_job_id: str | None
    dispatched_at: datetime | None
    nice: int
    service_owners: str
    """Who answers for the service account that submitted it, with commas; empty where a person did."""
    files_removed_at: datetime | None
    """When its files were deleted, which are not kept for ever; null: they were not."""
    files_kept_days: int | None
    """The rule by which they were: so many days after the job was charged."""


class TaskReply(Reply):
    """The newest attempt of one task that was started."""

    task_index: int
    attempt: int
    state: JobState
    is_requeued: bool
    reason: str
    exit_code: int | None
    exit_signal: int | None
    nodes: list[str]
    placed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_seconds: int | None
    allocated_tres: dict[str, int]
    cpu_seconds: float
    max_rss_mib: int
    energy_joules: int | None
    gpu_busy_seconds: float | None
    charged_vnd: int


class EventReply(Reply):
    """Something that happened to a job."""

    sequence: int
    at: datetime
    kind: str
    facts: dict[str, Any]


class PricedLineReply(Reply):
    """One line of a bill."""

    tres: str
    tres_seconds: int
    rate_vnd_per_hour: int
    list_vnd: int
    subsidy_vnd: int
    vnd: int
    """Net: the list price less the subsidy."""


class LicenseFitReply(Reply):
    """One licence feature that the job needs."""

    feature: str
    asked: int
    total: int
    used: int


class ShortageReply(Reply):
    """What is missing of a budget: the body that `POST /requests/from-shortage` takes."""

    project: str
    missing: dict[str, int]
    """By asset: TRES-seconds, đồng, or GiB of storage."""


class WaysToPayReply(Reply):
    """Ways out where the budget is too small, each tried for real."""

    projects: list[str]
    """Other projects of yours that could pay for it now."""
    walltime_seconds: int | None
    """The longest walltime that this project could pay for; null: none."""


class EstimateReply(Reply):
    """Price, balance after it, expected start and licence fit; nothing was written."""

    spec: JobSpec
    tasks: int
    walltime_is_default: bool
    lines: list[PricedLineReply]
    total_vnd: int
    """Net: the list price less the subsidy."""
    list_vnd: int
    subsidy_vnd: int
    needed: dict[str, int]
    available: dict[str, int]
    available_after: dict[str, int]
    expected_start: ExpectedStartReply
    licenses: list[LicenseFitReply]
    obstacles: list[str]
    """Why a submit would be refused right now; empty when it would be accepted."""
    shortages: list[ShortageReply]
    """What is missing of the budget; give it to `POST /requests/from-shortage` to ask for it."""
    ways_to_pay: WaysToPayReply
    notes: list[str]
    """What will be otherwise than asked, such as a time limit rounded up."""
