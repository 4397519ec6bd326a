"""Tables of people, memberships, jobs, their runs and events, leases and the audit log."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState, HeldBy
from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, TresSeconds, UtcDateTime, Uuid, Vnd
from quotas.tables import text_enum
from schedulers.jobstate import JobState


class GlobalRole(StrEnum):
    """What a person may do across all tenants."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""


class OrganisationRole(StrEnum):
    """What a person is in an organisation."""

    MANAGER = "manager"
    """Sees all its projects, manages its members."""
    MEMBER = "member"


class ProjectRole(StrEnum):
    """What a person is in a project."""

    LEAD = "lead"
    """Sees and cancels every job of the project, manages its members."""
    MEMBER = "member"
    """Submits; sees the project's jobs, cancels their own."""


class TokenScope(StrEnum):
    """What an API token lets do; never more than its owner may."""

    EVERYTHING = "everything"
    JOBS = "jobs"
    """Look at everything; submit, change and cancel jobs, and bring their files."""
    READ = "read"
    """Look, and change nothing."""


class ClusterPart(StrEnum):
    """What of a cluster can be out of reach by itself."""

    SCHEDULER = "scheduler"
    """Takes jobs and tells how they stand; without it, submissions wait in the portal."""
    ACCOUNTING = "accounting"
    """Tells what ended jobs used; without it, they are charged later."""


class User(SQLModel, table=True):
    """A person who signs in."""

    __tablename__ = "user_account"

    id: UUID = Field(primary_key=True)
    username: str = Field(unique=True, max_length=64)
    display_name: str = Field(max_length=200)
    email: str = Field(default="", max_length=254)
    password_hash: str = Field(max_length=255)
    global_role: GlobalRole | None = Field(
        default=None,
        sa_type=text_enum(GlobalRole, "global_role"),
        nullable=True,
    )
    cluster_user: str = Field(unique=True, max_length=32)
    """The account that the person's jobs run as."""
    cluster_number: int = Field(unique=True)
    """Added to `cluster_uid_base` where the nodes know no account of that name."""
    locale: str = Field(default="vi", max_length=5)
    theme: str = Field(default="auto", max_length=5)
    is_active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class ClusterAccount(SQLModel, table=True):
    """The account that a person has on a cluster which gives out accounts of its own."""

    __tablename__ = "cluster_account"
    __table_args__ = (
        UniqueConstraint("cluster", "cluster_user"),
        Index("uq_cluster_account_uid", "cluster", "uid", unique=True),
    )

    cluster: str = Field(primary_key=True, max_length=64)
    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True, index=True)
    cluster_user: str = Field(max_length=32)
    """Its name there; jobs run as it."""
    uid: int = Field(sa_type=BigInteger)
    """Its number there: the owner of the jobs' folders."""
    created_at: datetime = Field(sa_type=UtcDateTime)


class OrganisationMember(SQLModel, table=True):
    """A person's place in an organisation."""

    __tablename__ = "organisation_member"

    organisation_id: UUID = Field(foreign_key="organisation.id", primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True, index=True)
    role: OrganisationRole = Field(sa_type=text_enum(OrganisationRole, "role"))


class ProjectMember(SQLModel, table=True):
    """A person's place in a project."""

    __tablename__ = "project_member"

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True, index=True)
    role: ProjectRole = Field(sa_type=text_enum(ProjectRole, "role"))
    is_from_identity: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    """Given by a group of the identity provider: it follows the group; given by hand, it stays."""


class BrowserSession(SQLModel, table=True):
    """A signed-in browser. The cookie holds the secret, the table its SHA-256."""

    __tablename__ = "browser_session"

    id_hash: str = Field(primary_key=True, max_length=64)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    user_agent: str = Field(default="", max_length=255)
    identity_session: str = Field(default="", max_length=255, sa_column_kwargs={"server_default": ""})
    """The identity provider's name of its own session (`sid`), so that it can end ours; "" for a password.

    See `identity_sessions.mark_of`."""


class ApiToken(SQLModel, table=True):
    """A token for scripts: shown once, kept as its SHA-256."""

    __tablename__ = "api_token"

    id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    name: str = Field(max_length=100)
    token_hash: str = Field(unique=True, max_length=64)
    scope: TokenScope = Field(
        default=TokenScope.EVERYTHING,
        sa_type=text_enum(TokenScope, "scope"),
        sa_column_kwargs={"server_default": TokenScope.EVERYTHING.value},
    )
    project_id: UUID | None = Field(default=None, foreign_key="project.id")
    """Good for this project only; None: for all of its owner's."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


_UNDER_WAY = "phase IN ('accepted', 'dispatching', 'tracked')"


class Job(SQLModel, table=True):
    """One submission. Three columns never become one: `phase` is where we stand, `state` what the
    scheduler says, `cancel_requested_at` what the user wants.
    """  # noqa: D205 - the rule is one sentence

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_queue", "phase", "not_before", "id"),
        Index(
            "ix_job_cancel_wish",
            "cancel_requested_at",
            sqlite_where=text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
            postgresql_where=text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
        ),
        Index(
            "ix_job_scheduler_job",
            "scheduler",
            "scheduler_job_id",
            sqlite_where=text("scheduler_job_id IS NOT NULL"),
            postgresql_where=text("scheduler_job_id IS NOT NULL"),
        ),
        Index("ix_job_project_list", "project_id", "id"),
        Index("ix_job_project_state_list", "project_id", "state", "id"),
        Index("ix_job_organisation_list", "organisation_id", "id"),
        Index("ix_job_user_list", "user_id", "id"),
        Index(
            "ix_job_under_way",
            "phase",
            "project_id",
            "user_id",
            "state",
            sqlite_where=text(_UNDER_WAY),
            postgresql_where=text(_UNDER_WAY),
        ),
    )

    id: UUID = Field(primary_key=True)
    """UUIDv7: later jobs have larger ids, so lists page by it."""
    organisation_id: UUID = Field(foreign_key="organisation.id")
    project_id: UUID = Field(foreign_key="project.id")
    user_id: UUID = Field(foreign_key="user_account.id")
    name: str = Field(max_length=128)
    template: str | None = Field(default=None, max_length=64)
    parameters: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    spec: dict[str, Any] = Field(sa_type=JSON)
    """The JobSpec, complete, as JSON."""
    workspace: str = Field(max_length=255)
    """Relative to the workspace root."""
    partition: str = Field(max_length=64)
    priority: int = 0
    is_array: bool = False
    is_external: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    """Submitted past the portal, with sbatch; found in the cluster's accounting and charged afterwards."""

    phase: Phase = Field(sa_type=text_enum(Phase, "phase"))
    state: JobState = Field(default=JobState.PENDING, sa_type=text_enum(JobState, "state"))
    state_reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    exit_code: int | None = None
    exit_signal: int | None = None
    scheduler: str = Field(default="", max_length=64)
    scheduler_job_id: str | None = Field(default=None, max_length=64)
    cluster_user: str | None = Field(default=None, max_length=255)
    """The account that it was sent as, which its person may not have any more; None until it is sent."""

    submitted_at: datetime = Field(sa_type=UtcDateTime)
    dispatched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancel_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    waits_for_jobs: bool = False
    """Its dependencies are not all met yet; it stays ACCEPTED."""
    held_by: HeldBy | None = Field(default=None, sa_type=text_enum(HeldBy, "held_by"), nullable=True)
    """Who keeps what of it waits from starting; None: nobody."""

    tasks_total: int
    tasks_running: int = 0
    tasks_completed: int = 0
    tasks_failed: int = 0
    tasks_cancelled: int = 0

    estimated_vnd: int = Field(default=0, sa_type=Vnd)
    charged_vnd: int = Field(default=0, sa_type=Vnd)

    claim_token: UUID | None = None
    """Who works on it now; only the holder may write what a scheduler answered."""
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Back-off after a scheduler that could not be reached."""

    request_id: str | None = Field(default=None, max_length=64)
    """Of the request that submitted it, as logs have it."""
    traceparent: str | None = Field(default=None, max_length=55)
    """The span that submitted it, as in W3C Trace Context; None: it was not traced."""


class JobTask(SQLModel, table=True):
    """One run: an attempt of one task. Rows exist from the moment a run is placed, so that pending tasks
    of a large array cost nothing and its unique key makes a second start impossible.
    """  # noqa: D205 - the reason is one sentence

    __tablename__ = "job_task"
    __table_args__ = (
        Index(
            "ix_job_task_unsettled",
            "job_id",
            sqlite_where=text("ended_at IS NOT NULL AND settled_at IS NULL"),
            postgresql_where=text("ended_at IS NOT NULL AND settled_at IS NULL"),
        ),
        Index(
            "ix_job_task_active",
            "job_id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    job_id: UUID = Field(sa_column=Column(Uuid(), ForeignKey("job.id"), primary_key=True))
    task_index: int = Field(primary_key=True)
    attempt: int = Field(default=0, primary_key=True)
    state: JobState = Field(default=JobState.PENDING, sa_type=text_enum(JobState, "state"))
    is_requeued: bool = False
    """This attempt ended and another one follows."""
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    exit_code: int | None = None
    exit_signal: int | None = None
    placement: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Nodes, lanes and GPU indices, as the backend wrote them before it started the run."""
    placed_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    elapsed_seconds: int | None = None
    allocated_tres: dict[str, int] | None = Field(default=None, sa_type=JSON)
    cpu_seconds: float = 0.0
    max_rss_mib: int = 0
    gpu_busy_seconds: float | None = None
    """GPUs times the seconds that they were at work; None where nobody measured it."""
    energy_joules: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    """None where the site does not measure energy."""
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    charged_vnd: int = Field(default=0, sa_type=Vnd)


class JobEvent(SQLModel, table=True):
    """Something that happened to a job; `sequence` only grows, also across processes."""

    __tablename__ = "job_event"
    __table_args__ = (
        Index("ix_job_event_job", "job_id", "sequence"),
        Index("ix_job_event_project", "project_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    job_id: UUID = Field(foreign_key="job.id")
    project_id: UUID = Field(foreign_key="project.id")
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=40)
    """`job.submitted`, `job.state`, `job.settled`, ..."""
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class JobChange(SQLModel, table=True):
    """A wish to change a job under way, and what became of it. Wishes of one job are carried out in order."""

    __tablename__ = "job_change"
    __table_args__ = (
        Index("ix_job_change_job", "job_id", "sequence"),
        Index(
            "ix_job_change_open",
            "sequence",
            sqlite_where=text("decided_at IS NULL"),
            postgresql_where=text("decided_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    job_id: UUID = Field(foreign_key="job.id")
    kind: ChangeKind = Field(sa_type=text_enum(ChangeKind, "kind"))
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    requested_by: UUID = Field(foreign_key="user_account.id")
    requested_at: datetime = Field(sa_type=UtcDateTime)
    state: ChangeState = Field(sa_type=text_enum(ChangeState, "state"))
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refusal: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why not, in the scheduler's words."""


class IdempotencyKey(SQLModel, table=True):
    """The job that a user's Idempotency-Key made: the same key gives the same job."""

    __tablename__ = "idempotency_key"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    request_hash: str = Field(max_length=64)
    job_id: UUID = Field(sa_column=Column(Uuid(), ForeignKey("job.id"), nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)


class Lease(SQLModel, table=True):
    """A right that one process holds for a while; the token changes with every holder."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True, max_length=64)
    token: UUID
    holder: str = Field(max_length=128)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ControllerStandby(SQLModel, table=True):
    """A controller that waits for a lease, and when it last said so."""

    __tablename__ = "controller_standby"

    lease: str = Field(primary_key=True, max_length=64)
    holder: str = Field(primary_key=True, max_length=128)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class ClusterView(SQLModel, table=True):
    """The last known ClusterSnapshot of a scheduler, so that web processes need not ask it."""

    __tablename__ = "cluster_view"

    name: str = Field(primary_key=True, max_length=64)
    as_of: datetime = Field(sa_type=UtcDateTime)
    snapshot: dict[str, Any] = Field(sa_type=JSON)


class ClusterOutage(SQLModel, table=True):
    """A part of a cluster that does not answer now; the row goes when it answers again."""

    __tablename__ = "cluster_outage"

    cluster: str = Field(primary_key=True, max_length=64)
    part: ClusterPart = Field(sa_type=text_enum(ClusterPart, "part"), primary_key=True)
    since: datetime = Field(sa_type=UtcDateTime)
    problem: str = Field(sa_column=Column(Text, nullable=False))


class ExternalReader(SQLModel, table=True):
    """How far the accounting of a cluster was read for jobs from outside the portal."""

    __tablename__ = "external_reader"

    cluster: str = Field(primary_key=True, max_length=64)
    began_at: datetime = Field(sa_type=UtcDateTime)
    """What ended before is none of the portal's."""
    read_until: datetime = Field(sa_type=UtcDateTime)
    reread_at: datetime = Field(sa_type=UtcDateTime)
    """When the last days were read again, for records that came late or were revised."""


class ExternalUsage(SQLModel, table=True):
    """What jobs from outside used of an allocation on a cluster, charged or not: the cluster counted it."""

    __tablename__ = "external_usage"

    cluster: str = Field(primary_key=True, max_length=64)
    allocation_id: UUID = Field(foreign_key="allocation.id", primary_key=True)
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    amount: int = Field(sa_type=TresSeconds)


class UnclaimedRun(SQLModel, table=True):
    """A run in a cluster's accounting that nobody here could be charged for yet; it is tried again."""

    __tablename__ = "unclaimed_run"

    cluster: str = Field(primary_key=True, max_length=64)
    scheduler_job_id: str = Field(primary_key=True, max_length=64)
    submitted_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    account: str = Field(max_length=255)
    cluster_user: str = Field(max_length=255)
    why: str = Field(sa_column=Column(Text, nullable=False))
    record: dict[str, Any] = Field(sa_type=JSON)
    """The whole ExternalRun."""
    found_at: datetime = Field(sa_type=UtcDateTime)


class MirrorState(SQLModel, table=True):
    """How the mirror of accounts and budgets into a cluster stands."""

    __tablename__ = "mirror_state"

    cluster: str = Field(primary_key=True, max_length=64)
    checked_at: datetime = Field(sa_type=UtcDateTime)
    applied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When something was last changed there."""
    problem: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class MirrorDrift(SQLModel, table=True):
    """A difference that somebody else made between what the portal set on a cluster and what is there."""

    __tablename__ = "mirror_drift"
    __table_args__ = (
        Index("ix_mirror_drift_cluster", "cluster", "corrected_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    cluster: str = Field(max_length=64)
    subject: str = Field(max_length=200)
    field: str = Field(max_length=120)
    wanted: str = Field(sa_column=Column(Text, nullable=False))
    found: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = Field(sa_type=UtcDateTime)
    corrected_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None while it stands."""
