"""What slurmdbd says through slurmrestd: ended jobs with their usage, QOS, accounts, users, associations."""

from datetime import datetime

from pydantic import Field

from schedulers.slurm.wire import Id, Instant, Number, Text, WireExitCode, WireModel, Words


class WireTres(WireModel):
    """An amount of one resource; `cpu`, or `gres` with the name `gpu:h100`."""

    type: str
    name: Text = ""
    id: int = 0
    count: int = 0
    """Memory is MiB, as in the request; a consumed `mem` is bytes."""
    node: Text = ""
    task: Number = None


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
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    total_seconds: float = 0.0


class AccountedState(WireModel):
    """The state as slurmdbd keeps it."""

    current: Words = ()
    reason: Text = ""


class AccountedTres(WireModel):
    """What a job asked for and what it got."""

    allocated: tuple[WireTres, ...] = ()
    requested: tuple[WireTres, ...] = ()


class AccountedArray(WireModel):
    """Where a job stands in its array."""

    job_id: Id = None
    task_id: Number = None
    task: Text = ""
    """The tasks that never started, as slurmdbd writes them."""


class ConsumedTres(WireModel):
    """What the processes of a step really used; memory and disk in bytes."""

    max: tuple[WireTres, ...] = ()
    average: tuple[WireTres, ...] = ()
    total: tuple[WireTres, ...] = ()


class StepTres(WireModel):
    """Resources of one step."""

    allocated: tuple[WireTres, ...] = ()
    consumed: ConsumedTres = ConsumedTres()


class AccountedStep(WireModel):
    """The batch script, the extern step, or an srun of a job."""

    id: str
    """"812.batch", "812.0"."""
    name: Text = ""
    state: Words = ()
    time: AccountedTime = AccountedTime()
    exit_code: WireExitCode = WireExitCode()
    tres: StepTres = StepTres()
    energy_joules: Number = None
    nodes: Text = ""


class AccountedJob(WireModel):
    """One run of a job or array task as slurmdbd keeps it; each requeue is a run of its own."""

    job_id: int
    cluster: Text = ""
    name: Text = ""
    user: Text = ""
    account: Text = ""
    partition: Text = ""
    qos: Text = ""
    comment: Text = ""
    """The job's own comment, as submitted."""
    array: AccountedArray = AccountedArray()
    state: AccountedState = AccountedState()
    time: AccountedTime = AccountedTime()
    exit_code: WireExitCode = WireExitCode()
    derived_exit_code: WireExitCode = WireExitCode()
    restart_cnt: int = 0
    nodes: Text = ""
    """A host list; "None assigned" becomes ""."""
    allocation_nodes: int = 0
    tres: AccountedTres = AccountedTres()
    steps: tuple[AccountedStep, ...] = ()
    licenses: Text = ""
    working_directory: Text = ""
    submit_line: Text = ""
    kill_request_user: Text = ""
    flags: Words = ()


class SlurmQos(WireModel):
    """A quality of service: a name that carries limits."""

    name: str
    id: int = 0
    description: Text = ""
    flags: Words = ()
    priority: Number = None
    grp_tres_minutes: tuple[WireTres, ...] = ()
    """GrpTRESMins: how much may be used altogether."""
    grp_tres: tuple[WireTres, ...] = ()
    """GrpTRES: how much may be in use at once."""
    max_tres_per_user: tuple[WireTres, ...] = ()
    max_tres_per_account: tuple[WireTres, ...] = ()
    max_tres_per_job: tuple[WireTres, ...] = ()
    max_wall_minutes_per_job: Number = None
    grp_jobs: Number = None
    max_jobs_per_user: Number = None
    max_submit_jobs_per_user: Number = None


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
    default_account: Text = ""
    flags: Words = ()


class SlurmAssociation(WireModel):
    """A user in an account on a cluster (and perhaps a partition), or the account itself (user "")."""

    id: int | None = None
    cluster: Text = ""
    account: Text = ""
    user: Text = ""
    partition: Text = ""
    parent_account: Text = ""
    qos: Words = ()
    default_qos: Text = ""
    is_default: bool = False
    shares_raw: Number = None
    flags: Words = ()
    grp_tres: tuple[WireTres, ...] = ()
    grp_tres_minutes: tuple[WireTres, ...] = ()
    max_tres_per_job: tuple[WireTres, ...] = ()
    grp_jobs: Number = None
    grp_submit_jobs: Number = None
    max_jobs: Number = None
    max_submit_jobs: Number = None
    max_wall_minutes_per_job: Number = None


class Window(WireModel):
    """A span of time to ask slurmdbd for."""

    start: datetime
    end: datetime = Field()
