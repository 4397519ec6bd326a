"""Bodies and replies of the API: snake case, units in names, instants in UTC."""

import math
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from hpc_portal.app.files.list_files import EntryKind
from hpc_portal.app.jobs.lifecycle import JobOrigin, Phase
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState, HeldBy
from hpc_portal.app.tables import GlobalRole, OrganisationRole, ProjectRole
from quotas.tables import OrganisationKind, TenantState
from schedulers.cluster import NodeState
from schedulers.jobspec import ArraySpec, JobSpec
from schedulers.jobstate import JobState
from workloads.template import Verdict

T = TypeVar("T")

Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
"""Text without the one character that databases cannot store."""
Number = Annotated[
    float | None,
    BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None),
]
"""A measured number; null where it is infinite or not a number, which JSON cannot say."""


MOST_NICE = 2_147_483_645
"""As in sbatch."""


def _array(tasks: object) -> object:
    return {"expression": tasks} if isinstance(tasks, str) else tasks


TaskList = Annotated[ArraySpec, BeforeValidator(_array, json_schema_input_type=str)]
"""Tasks of an array as text: `3-7,12`."""


class Body(BaseModel):
    """What a client sends: a misspelt field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Reply(BaseModel):
    """What we answer, read from the application's own records."""

    model_config = ConfigDict(from_attributes=True)


class PageReply(Reply, Generic[T]):
    """Part of a list; give `next_cursor` back as `cursor` for what follows, null at the end."""

    items: list[T]
    next_cursor: str | None = None


class ListReply(Reply, Generic[T]):
    """A list that is short enough to be whole."""

    items: list[T]


# --- people ---------------------------------------------------------------------------------------------


class SignInBody(Body):
    """A password in exchange for a token."""

    username: Text
    password: Annotated[str, Field(max_length=1000)]
    name: Text = "API"
    """What the token is called in the list of tokens."""
    valid_days: int | None = None


class TokenBody(Body):
    """A token to be."""

    name: Text
    valid_days: int | None = None


class IssuedTokenReply(Reply):
    """A new token; `token` is shown this once."""

    id: UUID
    name: str
    token: str
    created_at: datetime
    expires_at: datetime | None


class TokenReply(Reply):
    """A token without its secret."""

    id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class ProjectReply(Reply):
    """A project, and what you may do in it."""

    account: str
    name: str
    state: TenantState
    organisation: str
    organisation_name: str
    role: ProjectRole | None
    may_submit: bool
    may_manage_members: bool
    is_students_part: bool
    """Of a class that you teach: yours to look after, not to work in."""


class OrganisationReply(Reply):
    """An organisation, and your place in it."""

    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    role: OrganisationRole | None


class MeReply(Reply):
    """Who you are to the portal."""

    username: str
    display_name: str
    cluster_user: str
    cluster_accounts: dict[str, str]
    """Your account on each cluster that gives out its own; elsewhere your jobs run as `cluster_user`."""
    locale: str
    theme: str
    global_role: GlobalRole | None
    organisations: list[OrganisationReply]
    projects: list[ProjectReply]


class AppearanceBody(Body):
    """How the portal looks to you; what is left out stays."""

    locale: Text | None = None
    theme: Text | None = None


class PasswordBody(Body):
    """Your new password; ends all your browser sessions."""

    present: Annotated[str, Field(max_length=1000)]
    new: Annotated[str, Field(max_length=1000)]


class MemberReply(Reply):
    """A person's place in a project or organisation."""

    username: str
    display_name: str
    role: str


class ProjectMemberBody(Body):
    """A place in a project; null takes it away."""

    role: ProjectRole | None


class OrganisationMemberBody(Body):
    """A place in an organisation; null takes it away."""

    role: OrganisationRole | None


class UserBody(Body):
    """A person to be."""

    username: Text
    display_name: Text
    password: Annotated[str, Field(max_length=2000)]
    email: Text = ""
    global_role: GlobalRole | None = None
    cluster_user: Text = ""
    """The account that jobs run as; "" takes the user name."""


class UserReply(Reply):
    """A person, for administrators and auditors."""

    id: UUID
    username: str
    display_name: str
    email: str
    global_role: GlobalRole | None
    cluster_user: str
    is_active: bool
    created_at: datetime


class ClusterAccountBody(Body):
    """The account that a person has on a cluster."""

    cluster_user: Text
    uid: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Its number there; null: as the portal's machine knows it."""


class ClusterAccountReply(Reply):
    """The account that a person has on a cluster, for administrators and auditors."""

    cluster: str
    username: str
    cluster_user: str
    uid: int


class NewPasswordBody(Body):
    """A password set by an administrator."""

    new: Annotated[str, Field(max_length=2000)]


class OrganisationBody(Body):
    """An organisation to be."""

    slug: Text
    name: Text
    kind: OrganisationKind


class ProjectBody(Body):
    """A project to be."""

    organisation: Text
    account: Text
    name: Text


class CreatedReply(Reply):
    """The id of what was created."""

    id: UUID


# --- money ----------------------------------------------------------------------------------------------


class AssetBalanceReply(Reply):
    """One asset: đồng under `VND`, TRES-seconds under a TRES. granted = available + held + consumed."""

    granted: int
    available: int
    held: int
    consumed: int
    promisable: int
    """What new jobs can still hold, overdraft included."""


class AllocationReply(Reply):
    """One grant."""

    allocation_id: UUID
    valid_from: datetime
    valid_to: datetime
    state: str
    by_asset: dict[str, AssetBalanceReply]


class BalanceReply(Reply):
    """What a project has, in all and by grant; the grant that ends first is used first."""

    by_asset: dict[str, AssetBalanceReply]
    allocations: list[AllocationReply]


class GrantBody(Body):
    """A budget for a period, from `valid_from` up to, not including, `valid_to`."""

    lines: dict[Text, Annotated[int, Field(ge=0, lt=2**62)]]
    """Đồng under `VND`, TRES-seconds under a TRES."""
    overdraft: dict[Text, Annotated[int, Field(ge=0, lt=2**62)]] = Field(default_factory=dict)
    valid_from: datetime
    valid_to: datetime
    reason: Text


# --- jobs -----------------------------------------------------------------------------------------------


class SubmitBody(Body):
    """What to run: a template with its parameters, or a complete job specification."""

    project: Text
    """Account name of the project that pays."""
    template: Text | None = None
    parameters: dict[str, Any] | None = None
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


class JobDetailReply(JobReply):
    """One job with what was asked."""

    waits_for_limit: WaitedForLimitReply | None = None
    """Null when it waits for no limit, or for one of the cluster's own."""

    spec: JobSpec
    parameters: dict[str, Any] | None
    scheduler_job_id: str | None
    dispatched_at: datetime | None
    nice: int


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


class CancelBody(Body):
    """Jobs to cancel: all of them or, when one may not be, none."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class HoldBody(Body):
    """What of the job waits shall not start. An administrator's hold only an administrator releases."""

    change: Literal["hold"]


class ReleaseBody(Body):
    """Undo a hold."""

    change: Literal["release"]


class RequeueBody(Body):
    """End what runs, and put it back into the queue; the runs that end are charged."""

    change: Literal["requeue"]


class WalltimeBody(Body):
    """Another time limit, also for what runs. A longer one is held from the budget at once."""

    change: Literal["walltime"]
    walltime_seconds: Annotated[int, Field(ge=1, le=366 * 86_400)]


class NiceBody(Body):
    """How much later than others the job starts; below 0, for administrators, how much sooner."""

    change: Literal["nice"]
    nice: Annotated[int, Field(ge=-MOST_NICE, le=MOST_NICE)]


class CancelTasksBody(Body):
    """Cancel some tasks of an array, as sbatch writes them: `3-7,12`; the others go on."""

    change: Literal["cancel_tasks"]
    tasks: TaskList


ChangeBody = Annotated[
    HoldBody | ReleaseBody | RequeueBody | WalltimeBody | NiceBody | CancelTasksBody,
    Field(discriminator="change"),
]


class ChangesBody(Body):
    """The same change of several jobs; when you may not change one of them, none is changed."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
    change: ChangeBody


class ChangeReply(Reply):
    """A wish to change a job, and what became of it."""

    id: int
    job_id: UUID
    change: ChangeKind
    facts: dict[str, Any]
    """`walltime_seconds`, `nice`, `tasks` or `by_administrator`, as far as the change has them."""
    requested_by: str
    requested_at: datetime
    state: ChangeState
    decided_at: datetime | None
    refusal: str
    """Why not, in the scheduler's words."""


class LeftOutReply(Reply):
    """A job that cannot be changed so, as it stands, and why."""

    job_id: UUID
    problem: str


class RecordedChangeReply(Reply):
    """The number of the change recorded for one job."""

    job_id: UUID
    id: int


class ChangesReply(Reply):
    """For which jobs the wish was recorded, and for which it makes no sense."""

    changes: list[RecordedChangeReply]
    left_out: list[LeftOutReply]


class CancelReply(Reply):
    """Jobs for which the wish is new; those that are over or were asked before are left out."""

    cancelled: list[UUID]


class PricedLineReply(Reply):
    """One line of a bill."""

    tres: str
    tres_seconds: int
    rate_vnd_per_hour: int
    list_vnd: int
    subsidy_vnd: int
    vnd: int
    """Net: the list price less the subsidy."""


class ExpectedStartReply(Reply):
    """When the first task would probably start."""

    earliest: datetime
    latest: datetime | None
    reason: str


class LicenseFitReply(Reply):
    """One licence feature that the job needs."""

    feature: str
    asked: int
    total: int
    used: int


class ShortageReply(Reply):
    """What is missing of a budget: the body that `POST /requests/from-shortage` takes."""

    project: str
    asset: str
    missing: int
    """TRES-seconds, or đồng."""


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
    notes: list[str]
    """What will be otherwise than asked, such as a time limit rounded up."""


class LogReply(Reply):
    """Some lines of a log, numbered from 0."""

    path: str
    """Relative to the job's workspace."""
    first_line: int
    lines: list[str]
    next_line: int
    is_at_end: bool
    """Nothing complete follows for now."""
    has_ended: bool
    """The task will write no more."""


class FileReply(Reply):
    """One entry of a folder in a job's workspace."""

    name: str
    path: str
    kind: EntryKind
    size_bytes: int
    changed_at: datetime


class MetricReply(Reply):
    """One number of a result."""

    name: str
    value: Number
    unit: str


class FailureReply(Reply):
    """Why a task failed; equal causes have equal signatures."""

    signature: str
    line: str
    file: str
    line_number: int


class ArtefactReply(Reply):
    """A file worth showing."""

    path: str
    kind: str


class TaskResultReply(Reply):
    """What one task achieved."""

    task_index: int
    label: str
    verdict: Verdict
    metrics: list[MetricReply]
    failure: FailureReply | None
    artefacts: list[ArtefactReply]


class SeriesReply(Reply):
    """A curve."""

    name: str
    x_label: str
    unit: str
    points: list[tuple[Number, Number]]


class MarkerReply(Reply):
    """Something that happened on a curve."""

    kind: str
    x: Number


class CampaignCellReply(Reply):
    """Where a task stands in its campaign's matrix."""

    task_index: int
    row: str
    column: str


class ResultsReply(Reply):
    """What a job achieved, as far as its workspace tells now."""

    tasks: list[TaskResultReply]
    metrics: list[MetricReply]
    series: list[SeriesReply]
    markers: list[MarkerReply]
    campaign: list[CampaignCellReply]


# --- what there is --------------------------------------------------------------------------------------


class TemplateReply(Reply):
    """A template in the catalogue."""

    name: str
    title: str
    summary: str
    domain: str


class TemplateDetailReply(TemplateReply):
    """A template with the JSON Schema of its parameters."""

    parameters_schema: dict[str, Any]


class NodeReply(Reply):
    """One machine."""

    name: str
    state: NodeState
    cpus: int
    memory_mib: int
    gpus: dict[str, int]
    allocated_cpus: int
    allocated_memory_mib: int
    allocated_gpus: dict[str, int]
    reason: str


class PartitionReply(Reply):
    """A set of nodes with its own limits."""

    name: str
    nodes: list[str]
    max_walltime_seconds: int
    default_walltime_seconds: int
    max_nodes_per_job: int | None
    is_default: bool


class LicenseReply(Reply):
    """A licence feature, counted over the cluster."""

    feature: str
    total: int
    used: int
