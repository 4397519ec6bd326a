"""What slurmctld says through slurmrestd, in the newest API version's shape; older ones are lifted first.

A number that Slurm sends as {set, infinite, number} becomes `int | Unlimited | None`: three cases, not two.
What slurmdbd says is in wire_accounting.py.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field


class Unlimited(Enum):
    """Slurm's "infinite": there is a limit field, and it limits nothing."""

    UNLIMITED = "unlimited"


def read_number(value: object) -> int | Unlimited | None:
    """The three cases of a Slurm number; a plain number is one that is set."""
    match value:
        case {"infinite": True} | Unlimited():
            return Unlimited.UNLIMITED
        case {"set": True, "number": number}:
            return read_number(number)
        case int() | float() if not isinstance(value, bool) and math.isfinite(value):
            return int(value)
        case _:
            return None


_NO_INSTANT = 0xFFFFFFFE
"""From here on up Slurm means "none" and "never"; slurmdbd writes it for the start of a job that had none."""


def read_instant(value: object) -> datetime | None:
    """A UNIX time, plain or as a Slurm number; 0, unset and infinite mean that there is none."""
    if isinstance(value, datetime):
        return value
    seconds = read_number(value)
    if not isinstance(seconds, int) or not 0 < seconds < _NO_INSTANT:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _read_text(value: object) -> object:
    return "" if value is None else value


def _read_id(value: object) -> int | None:
    number = read_number(value)
    return number if isinstance(number, int) and number > 0 else None


Number: TypeAlias = Annotated[int | Unlimited | None, BeforeValidator(read_number)]
Instant: TypeAlias = Annotated[datetime | None, BeforeValidator(read_instant)]
Text: TypeAlias = Annotated[str, BeforeValidator(_read_text)]
"""Slurm sends null, "" or nothing for a text that is not there; all become ""."""
Id: TypeAlias = Annotated[int | None, BeforeValidator(_read_id)]
"""A job's or user's number; Slurm's 0 for "no such" becomes None."""
Words: TypeAlias = tuple[str, ...]


class WireModel(BaseModel):
    """A part of a reply: unknown fields are ignored, so that a newer Slurm breaks nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_by_name=True, validate_by_alias=True)


class WireExitCode(WireModel):
    """How a program ended."""

    status: Words = ()
    """SUCCESS, ERROR, SIGNALED, CORE_DUMPED, PENDING."""
    return_code: Number = None
    signal_id: Number = Field(default=None, validation_alias=AliasPath("signal", "id"))


class JobStateEntry(NamedTuple):
    """One line of GET /jobs/state: the least that tells whether a job changed."""

    job_id: str
    """`812`, or `812_4` for a task of the array 812, whether it started or not."""
    state: Words
    record_id: int
    """Slurm's own number of the record; that of the array itself while a task has not started."""


class JobMark(WireModel):
    """The least that tells whose job one of slurmctld's records is."""

    job_id: int
    """Slurm's own number of this record; the job submitted is `array_job_id or job_id`."""
    array_job_id: Id = None
    user_name: Text = ""
    comment: Text = ""


class SlurmJob(JobMark):
    """A job, an array task, or the part of an array that has not started yet, as slurmctld keeps it."""

    array_task_id: Number = None
    """None for a job that is no array, and for the part of an array that never started."""
    array_task_string: Text = ""
    """"5-9%2": the tasks that never started."""
    name: Text = ""
    account: Text = ""
    partition: Text = ""
    qos: Text = ""
    cluster: Text = ""
    job_state: Words = ()
    """The base state and flags, such as ("RUNNING", "COMPLETING")."""
    state_reason: Text = ""
    state_description: Text = ""
    dependency: Text = ""
    nodes: Text = ""
    """A host list: "gpu[01-02]"."""
    gres_detail: Words = ()
    """One for each node: "gpu:h100:2(IDX:0-1)"."""
    failed_node: Text = ""
    restart_cnt: int = 0
    priority: Number = None
    nice: int | None = None
    hold: bool = False
    time_limit: Number = None
    """Minutes."""
    submit_time: Instant = None
    eligible_time: Instant = None
    start_time: Instant = None
    """Of a job that waits: when Slurm expects to start it; None when it does not say."""
    end_time: Instant = None
    exit_code: WireExitCode = WireExitCode()
    derived_exit_code: WireExitCode = WireExitCode()
    tres_req_str: Text = ""
    """"cpu=4,mem=8G,node=1,billing=4,gres/gpu=1"."""
    tres_alloc_str: Text = ""
    licenses: Text = ""
    """As asked for, perhaps with alternatives: "vcs:1|primetime:1"."""
    licenses_allocated: Text = ""
    features: Text = ""
    resv_name: Text = ""
    submit_line: Text = ""
    current_working_directory: Text = ""
    stdout_expanded: Text = ""
    stderr_expanded: Text = ""
    """"" when stderr goes where stdout goes."""


class SlurmNode(WireModel):
    """A machine as slurmctld sees it."""

    name: str
    state: Words = ()
    """The base state (IDLE, MIXED, ALLOCATED, DOWN ...) and flags (DRAIN, NOT_RESPONDING ...)."""
    cpus: int = 0
    effective_cpus: int | None = None
    alloc_cpus: int = 0
    real_memory: int = 0
    """MiB."""
    alloc_memory: int = 0
    gres: Text = ""
    """"gpu:h100:8(S:0-1)"."""
    gres_used: Text = ""
    """"gpu:h100:2(IDX:0-1)"."""
    partitions: Words = ()
    features: Words = ()
    active_features: Words = ()
    reason: Text = ""
    reason_changed_at: Instant = None
    last_busy: Instant = None
    boot_time: Instant = None
    slurmd_start_time: Instant = None
    version: Text = ""


class PartitionNodes(WireModel):
    """Which nodes a partition has."""

    configured: Text = ""
    """A host list."""
    total: int = 0


class PartitionMaximums(WireModel):
    """The most that one job may ask of a partition."""

    nodes: Number = None
    time: Number = None
    """Minutes."""


class PartitionDefaults(WireModel):
    """What a job gets that does not say."""

    time: Number = None
    """Minutes."""


class PartitionState(WireModel):
    """Whether it takes jobs: UP, DOWN, DRAIN, INACTIVE."""

    state: Words = ()


class SlurmPartition(WireModel):
    """A set of nodes with its limits."""

    name: str
    nodes: PartitionNodes = PartitionNodes()
    maximums: PartitionMaximums = PartitionMaximums()
    defaults: PartitionDefaults = PartitionDefaults()
    partition: PartitionState = PartitionState()
    flags: Words | None = None
    """None before v0.0.45: those versions do not tell."""

    @property
    def is_default(self) -> bool | None:
        """Whether jobs that name no partition go here; None when the API version does not tell."""
        return None if self.flags is None else "DEFAULT" in self.flags


class SlurmLicense(WireModel):
    """A licence counted by slurmctld or slurmdbd."""

    name: str = Field(validation_alias="LicenseName")
    total: int = Field(default=0, validation_alias="Total")
    used: int = Field(default=0, validation_alias="Used")
    free: int = Field(default=0, validation_alias="Free")
    reserved: int = Field(default=0, validation_alias="Reserved")
    is_remote: bool = Field(default=False, validation_alias="Remote")


class SlurmReservation(WireModel):
    """Nodes set aside for some users for a time."""

    name: str
    node_list: Text = ""
    partition: Text = ""
    users: Text = ""
    accounts: Text = ""
    flags: Words = ()
    licenses: Text = ""
    tres: Text = ""
    features: Text = ""
    start_time: Instant = None
    end_time: Instant = None


Payload: TypeAlias = Mapping[str, Any]
"""A JSON object of a request or reply that no model describes yet."""
