"""What campaigns look like over HTTP."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import Body, Number, Reply
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.tables import RunKind, StoppedBy
from hpc_portal.app.jobs.lifecycle import Phase
from schedulers.jobstate import JobState
from workloads.template import Verdict


class RunReply(Reply):
    """One job of a campaign; number 0 is the campaign as it was asked for, the others are reruns."""

    job_id: UUID
    number: int
    kind: RunKind
    with_waves: bool
    state: JobState
    state_reason: str
    phase: Phase
    submitted_at: datetime
    ended_at: datetime | None
    tasks_total: int
    tasks_running: int
    tasks_cancelled: int
    passed: int
    failed: int
    no_verdict: int
    never_ran: int
    """Ended or taken back without a result; 0 while the run goes on."""
    pass_rate: float | None
    charged_vnd: int
    metrics: dict[str, tuple[Number, str]]
    """Of the run as a whole, such as merged coverage: value and unit by name."""
    is_read: bool
    """It is over, and every result that it left was read."""
    stopped_by: StoppedBy | None
    stopped_at: datetime | None


class CampaignReply(Reply):
    """A regression with its runs, or a sweep or corners, which have none."""

    id: UUID
    """Of its first job, too."""
    kind: CampaignKind
    name: str
    template: str
    project: str
    user: str
    created_at: datetime
    state: JobState
    """Of its first job."""
    tasks_total: int
    """Of its first job."""
    stop_failures: int | None
    stop_cost_vnd: int | None
    charged_vnd: int
    runs: list[RunReply]


class ExampleReply(Reply):
    """One task of a group."""

    task_index: int
    label: str
    line: str
    file: str
    line_number: int
    length: Number
    """How long until it failed: the bench's cycles, else seconds."""


class FailureGroupReply(Reply):
    """Tasks that did not pass for one cause."""

    signature: str
    count: int
    first: ExampleReply
    shortest: ExampleReply


class ResultReply(Reply):
    """The result of one task."""

    task_index: int
    row: str
    column: str
    label: str
    verdict: Verdict
    build: str
    wall_ms: int
    signature: str
    line: str
    file: str
    line_number: int
    waveform: str
    """Relative to the workspace; empty where the task left none."""


class HistoryPointReply(Reply):
    """How one test did in one campaign."""

    campaign_id: UUID
    created_at: datetime
    passed: int
    total: int
    mean_seconds: float
    coverage_points: float | None
    """Points of the design that one task hits on average."""


class CampaignPointReply(Reply):
    """How one campaign of the name did as a whole."""

    campaign_id: UUID
    created_at: datetime
    passed: int
    total: int
    mean_seconds: float
    coverage_percent: float | None


class RowHistoryReply(Reply):
    """One test over campaigns of the name, the oldest first; null where it did not run."""

    name: str
    points: list[HistoryPointReply | None]


class FlakyReply(Reply):
    """The same test, seed and build that passed and did not."""

    row: str
    column: str
    passed: int
    total: int


class HistoryReply(Reply):
    """Tests over the newest campaigns of one name."""

    campaigns: list[CampaignPointReply]
    tests: list[RowHistoryReply]
    flaky: list[FlakyReply]


class ChangedCellReply(Reply):
    """A cell that fails, or that no longer does."""

    row: str
    column: str
    before: Verdict
    now: Verdict
    task_index: int


class ChangedCellsReply(Reply):
    """All cells of one kind of change."""

    count: int
    cells: list[ChangedCellReply]
    """The first 200."""


class SlowerReply(Reply):
    """A test that takes at least a quarter and half a second longer, over its cells that passed in both."""

    row: str
    cells: int
    seconds_before: float
    seconds_now: float


class ComparisonReply(Reply):
    """What is different since the campaign of the name before."""

    before_id: UUID
    before_at: datetime
    newly_failing: ChangedCellsReply
    newly_passing: ChangedCellsReply
    still_failing: ChangedCellsReply
    slower: list[SlowerReply]
    new_causes: list[str]
    gone_causes: list[str]


class RerunBody(Body):
    """What to run again, and how."""

    new_seeds: Flag = False
    """Other random sequences; otherwise the same, so that the failure comes again."""
    with_waves: Flag = True
    run: int | None = Field(default=None, ge=0)
    """Whose failures; null: those of the last run that has any."""


class StoppedReply(Reply):
    """The jobs for which this call asked to be cancelled."""

    job_ids: list[UUID]
