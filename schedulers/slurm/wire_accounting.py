"""What slurmdbd says through slurmrestd: ended jobs with their usage, QOS, accounts, users, associations."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from pydantic import AliasPath, BeforeValidator, Field

from schedulers.slurm.wire import Id, Instant, Number, Text, WireExitCode, WireModel, Words


class WireTres(WireModel):
    """An amount of one resource: `cpu`, or the type `gres` with the name `gpu:h100`."""

    type: str
    name: Text = ""
    count: int = 0
    """Memory is MiB where it was allocated or asked for, and bytes where it was consumed."""
    node: Text = ""


def _read_tres(value: object) -> object:
    """Without the amounts that are not known (Slurm's NO_VAL64 arrives as -2)."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return [one for one in value if not isinstance(one, dict) or _is_known(one.get("count"))]


def _is_known(count: object) -> bool:
    return isinstance(count, int) and count >= 0


TresList: TypeAlias = Annotated[tuple[WireTres, ...], BeforeValidator(_read_tres)]


def _read_node_list(value: object) -> object:
    return "" if value in {None, "None assigned"} else value


NodeList: TypeAlias = Annotated[str, BeforeValidator(_read_node_list)]
"""A host list such as `gpu[01-02]`."""


class CpuTime(WireModel):
    """Time on processors."""

    whole_seconds: int = Field(default=0, validation_alias="seconds")
    microseconds: int = 0

    @property
    def seconds(self) -> float:
        """Both parts."""
        return self.whole_seconds + self.microseconds / 1e6


class AccountedTime(WireModel):
    """When a run started and ended, and the processor time it took."""

    submission: Instant = None
    eligible: Instant = None
    start: Instant = None
    end: Instant = None
    elapsed: int = 0
    """Seconds."""
    suspended: int = 0
    limit: Number = None
    """Minutes."""
    total: CpuTime = CpuTime()

    @property
    def total_seconds(self) -> float:
        """User and system time."""
        return self.total.seconds


class AccountedState(WireModel):
    """The state as slurmdbd keeps it."""

    current: Words = ()
    reason: Text = ""


class AccountedTres(WireModel):
    """What a job asked for and what it got."""

    allocated: TresList = ()
    requested: TresList = ()


class AccountedArray(WireModel):
    """Where a job stands in its array."""

    job_id: Id = None
    """None for a job that is no array."""
    task_id: Number = None
    task: Text = ""
    """The tasks that never started, as slurmdbd writes them."""


class UsedTres(WireModel):
    """What the processes of a step really used; memory and disk in bytes."""

    max: TresList = ()
    average: TresList = ()
    total: TresList = ()


class StepTres(WireModel):
    """Resources of one step."""

    allocated: TresList = ()
    used: UsedTres = Field(default=UsedTres(), validation_alias="requested")
    """As in sacct's MaxRSS: slurmrestd says `requested` for what went in, `consumed` for what came out."""


class AccountedStep(WireModel):
    """The batch script, the extern step, or an srun of a job."""

    id: str = Field(validation_alias=AliasPath("step", "id"))
    """`812.batch`, `812.0`."""
    name: Text = Field(default="", validation_alias=AliasPath("step", "name"))
    state: Words = ()
    time: AccountedTime = AccountedTime()
    exit_code: WireExitCode = WireExitCode()
    tres: StepTres = StepTres()
    energy_joules: Number = Field(
        default=None, validation_alias=AliasPath("statistics", "energy", "consumed")
    )
    """0 where the site does not measure energy."""
    nodes: NodeList = Field(default="", validation_alias=AliasPath("nodes", "range"))


class AccountedMark(WireModel):
    """The least that tells whose job one of slurmdbd's records is."""

    job_id: int
    """Slurm's own number of the record; the job submitted is `array.job_id or job_id`."""
    array: AccountedArray = AccountedArray()
    user: Text = ""
    comment: Text = Field(default="", validation_alias=AliasPath("comment", "job"))
    """As submitted."""
    working_directory: Text = ""


class AccountedJob(AccountedMark):
    """One run of a job or array task as slurmdbd keeps it; each requeue is a run of its own."""

    cluster: Text = ""
    name: Text = ""
    account: Text = ""
    partition: Text = ""
    qos: Text = ""
    state: AccountedState = AccountedState()
    time: AccountedTime = AccountedTime()
    exit_code: WireExitCode = WireExitCode()
    derived_exit_code: WireExitCode = WireExitCode()
    restart_cnt: int = 0
    """How often it was requeued before this run; always 0 before v0.0.42, which does not tell."""
    failed_node: Text = ""
    nodes: NodeList = ""
    allocation_nodes: int = 0
    tres: AccountedTres = AccountedTres()
    steps: tuple[AccountedStep, ...] = ()
    licenses: Text = ""
    submit_line: Text = ""
    kill_request_user: Text = ""
    flags: Words = ()


class SlurmQos(WireModel):
    """A quality of service: a name that carries limits, called here as sacctmgr calls them."""

    name: str
    id: int = 0
    description: Text = ""
    flags: Words = ()
    priority: Number = None
    grp_tres_minutes: TresList = Field(
        default=(), validation_alias=AliasPath("limits", "max", "tres", "minutes", "total")
    )
    """How much may be used altogether; always empty before v0.0.42, which does not tell."""
    grp_tres: TresList = Field(default=(), validation_alias=AliasPath("limits", "max", "tres", "total"))
    """How much may be in use at once."""
    max_tres_per_user: TresList = Field(
        default=(), validation_alias=AliasPath("limits", "max", "tres", "per", "user")
    )
    max_tres_per_account: TresList = Field(
        default=(), validation_alias=AliasPath("limits", "max", "tres", "per", "account")
    )
    max_tres_per_job: TresList = Field(
        default=(), validation_alias=AliasPath("limits", "max", "tres", "per", "job")
    )
    max_wall_minutes_per_job: Number = Field(
        default=None, validation_alias=AliasPath("limits", "max", "wall_clock", "per", "job")
    )
    grp_jobs: Number = Field(
        default=None, validation_alias=AliasPath("limits", "max", "active_jobs", "count")
    )
    grp_submit_jobs: Number = Field(
        default=None, validation_alias=AliasPath("limits", "max", "jobs", "count")
    )
    max_jobs_per_user: Number = Field(
        default=None, validation_alias=AliasPath("limits", "max", "jobs", "active_jobs", "per", "user")
    )
    max_submit_jobs_per_user: Number = Field(
        default=None, validation_alias=AliasPath("limits", "max", "jobs", "per", "user")
    )


class SlurmAccount(WireModel):
    """Who pays."""

    name: str
    description: Text = ""
    organization: Text = ""
    flags: Words = ()


class SlurmUser(WireModel):
    """A cluster user as slurmdbd knows it."""

    name: str
    administrator_level: Words = ()
    default_account: Text = Field(default="", validation_alias=AliasPath("default", "account"))
    flags: Words = ()


class SlurmAssociation(WireModel):
    """A user in an account on a cluster (and perhaps a partition), or the account itself (user "").

    Limits are called here as sacctmgr calls them.
    """

    id: Id = None
    """Slurm 24.11 does not tell it in v0.0.41 and v0.0.42."""
    cluster: Text = ""
    account: Text = ""
    user: Text = ""
    partition: Text = ""
    parent_account: Text = ""
    qos: Words = ()
    default_qos: Text = Field(default="", validation_alias=AliasPath("default", "qos"))
    is_default: bool = False
    shares_raw: Number = None
    flags: Words = ()
    grp_tres: TresList = Field(default=(), validation_alias=AliasPath("max", "tres", "total"))
    grp_tres_minutes: TresList = Field(
        default=(), validation_alias=AliasPath("max", "tres", "group", "minutes")
    )
    max_tres_per_job: TresList = Field(default=(), validation_alias=AliasPath("max", "tres", "per", "job"))
    grp_jobs: Number = Field(default=None, validation_alias=AliasPath("max", "jobs", "per", "count"))
    grp_submit_jobs: Number = Field(
        default=None, validation_alias=AliasPath("max", "jobs", "per", "submitted")
    )
    max_jobs: Number = Field(default=None, validation_alias=AliasPath("max", "jobs", "active"))
    max_submit_jobs: Number = Field(default=None, validation_alias=AliasPath("max", "jobs", "total"))
    max_wall_minutes_per_job: Number = Field(
        default=None, validation_alias=AliasPath("max", "jobs", "per", "wall_clock")
    )
