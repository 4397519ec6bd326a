"""What is asked of a scheduler: one job, complete and independent of any backend.

Field names and meanings follow sbatch(1). Everything is checked when it is built, so that a JobSpec
that exists can be priced and scheduled; whether a *cluster* can run it is `cluster.check_fits`.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from schedulers import constraint, output_names, tres
from schedulers.errors import InvalidJobSpec
from schedulers.instant import Instant

MAX_ARRAY_TASKS = 1_000_000
_RANGE = re.compile(r"^(\d+)(?:-(\d+)(?::(\d+))?)?$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_RESERVED_VARIABLES = ("HPC_", "SLURM_", "CUDA_VISIBLE_DEVICES", "LD_PRELOAD")


def _workspace_path(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text or "\n" in text:
        raise ValueError(f"{text!r} must be a relative path inside the job's workspace")
    return text


WorkspacePath = Annotated[str, Field(max_length=1024), AfterValidator(_workspace_path)]
"""A relative path inside the job's workspace; `..` and absolute paths are refused."""

NodeName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""One node, never a hostlist: `hostlist.expand` takes `gpu[01-04]` apart."""

Word = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]*$")]
"""A name that goes to the scheduler as it is."""


Program = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
"""A command as PATH finds it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WholeNode(_Frozen):
    """The most that an exclusive job may come to hold on each of its nodes."""

    cpus: int = Field(ge=1)
    gpus: dict[str, int] = Field(default_factory=dict)


class ResourceRequest(_Frozen):
    """What one job, or each task of an array, needs while it runs."""

    nodes: int = Field(default=1, ge=1, le=10_000)
    ntasks: int = Field(default=1, ge=1, le=1_000_000)
    """MPI tasks over all nodes (sbatch --ntasks); nothing to do with array tasks."""
    ntasks_per_node: int | None = Field(default=None, ge=1, le=65_535)
    """At most so many tasks on each node; None spreads them evenly."""
    cpus_per_task: int = Field(default=1, ge=1, le=4096)
    memory_mib_per_node: int = Field(default=1024, ge=1, le=64 * 1024**2)
    gpus_per_node: dict[str, int] = Field(default_factory=dict)
    """GPUs on each node by type ("h100": 2); the type "" takes any."""
    licenses: dict[str, int] = Field(default_factory=dict)
    """Licence features for the whole job; they are counted over the cluster."""
    walltime_seconds: int | None = Field(default=None, ge=1, le=366 * 86_400)
    """None takes the partition's default, which submit fills in before pricing."""
    whole_node: WholeNode | None = None
    """Of an exclusive job; submit fills it in before pricing, whatever stands here."""

    @model_validator(mode="after")
    def _counts_make_sense(self) -> Self:
        for field, counts in (("gpus_per_node", self.gpus_per_node), ("licenses", self.licenses)):
            for name, count in counts.items():
                if count < 1:
                    raise InvalidJobSpec(
                        field, "%(name)s must be at least 1, not %(count)s", name=name or "gpu", count=count
                    )
                if name or field == "licenses":
                    tres.require_tres(
                        tres.gpu_tres(name) if field == "gpus_per_node" else tres.license_tres(name)
                    )
        if self.ntasks < self.nodes:
            raise InvalidJobSpec("ntasks", "%(nodes)s nodes need at least %(nodes)s tasks", nodes=self.nodes)
        if self.ntasks_per_node and self.ntasks > self.nodes * self.ntasks_per_node:
            raise InvalidJobSpec(
                "ntasks",
                "%(ntasks)s tasks are more than %(nodes)s x %(each)s",
                ntasks=self.ntasks,
                nodes=self.nodes,
                each=self.ntasks_per_node,
            )
        return self

    @property
    def cpus_per_node(self) -> int:
        """CPUs on each node: its share of the tasks, rounded up, times cpus_per_task."""
        return -(-self.ntasks // self.nodes) * self.cpus_per_task

    @property
    def tres(self) -> dict[tres.Tres, int]:
        """What the whole job (or one array task) holds, as Slurm would account it."""
        whole = self.whole_node
        gpus = whole.gpus if whole else self.gpus_per_node
        amounts = {
            tres.CPU: (whole.cpus if whole else self.cpus_per_node) * self.nodes,
            tres.MEM: self.memory_mib_per_node * self.nodes,
            tres.NODE: self.nodes,
        }
        if gpus:
            amounts[tres.GPU] = sum(gpus.values()) * self.nodes
        for gpu_type, count in gpus.items():
            if gpu_type:
                amounts[tres.gpu_tres(gpu_type)] = count * self.nodes
        for feature, count in self.licenses.items():
            amounts[tres.license_tres(feature)] = count
        return amounts


class ArraySpec(_Frozen):
    """A job array as sbatch writes it: `0-999%50`, `1,3,5-9:2`; stored as written, never expanded."""

    expression: str = Field(max_length=1_000_000)

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        previous = -1
        for members in self.ranges:
            if members.start <= previous:
                raise InvalidJobSpec(
                    "array",
                    "%(text)r must list its indices in rising order, each once",
                    text=self.expression,
                )
            previous = members[-1]
        if len(self) > MAX_ARRAY_TASKS:
            raise InvalidJobSpec(
                "array", "%(count)s tasks; the most is %(most)s", count=len(self), most=MAX_ARRAY_TASKS
            )
        if self.throttle == 0:
            raise InvalidJobSpec("array", "%0 would never start a task")
        return self

    @property
    def throttle(self) -> int | None:
        """How many tasks may run at once; None means no limit."""
        _, percent, limit = self.expression.partition("%")
        if percent and not limit.isdecimal():
            raise InvalidJobSpec("array", "%(text)r: a number must follow %%", text=self.expression)
        return int(limit) if percent else None

    @property
    def ranges(self) -> list[range]:
        """The members in rising order, as Python ranges."""
        found = []
        for part in self.expression.partition("%")[0].split(","):
            match = _RANGE.match(part.strip())
            if not match:
                raise InvalidJobSpec(
                    "array", "%(part)r is not an index or a range such as 0-99 or 0-99:2", part=part
                )
            first = int(match[1])
            last = int(match[2] or match[1])
            step = int(match[3] or 1)
            if last < first or step < 1:
                raise InvalidJobSpec("array", "%(part)r is empty", part=part)
            found.append(range(first, last + 1, step))
        return found

    def __len__(self) -> int:
        return sum(len(members) for members in self.ranges)

    def indices(self, start: int = 0) -> Iterator[int]:
        """Array task ids in order, from the `start`-th on; lazily, without building a list."""
        for members in self.ranges:
            if start < len(members):
                yield from members[start:]
            start = max(0, start - len(members))


class DependencyKind(StrEnum):
    """When a job may start, relative to another; names as in sbatch --dependency."""

    AFTEROK = "afterok"
    """The other completed with exit code 0."""
    AFTERANY = "afterany"
    """The other ended, however."""
    AFTERNOTOK = "afternotok"
    """The other ended and did not complete."""
    AFTERCORR = "aftercorr"
    """Each task of this array after the same-numbered task of the other completed."""


class Dependency(_Frozen):
    """One condition on another job of the portal."""

    kind: DependencyKind
    job_id: UUID


class RequeuePolicy(_Frozen):
    """When the scheduler runs a job again by itself."""

    on_node_fail: bool = True
    on_exit_codes: tuple[int, ...] = ()
    """Exit codes that mean "saved, run me again"; our templates use 75 (EX_TEMPFAIL)."""
    max_requeues: int = Field(default=3, ge=0, le=100)


class InputFile(_Frozen):
    """A small text file that is written into the workspace before the job starts."""

    path: WorkspacePath
    content: str = Field(max_length=1024 * 1024)
    executable: bool = False


class SignalTarget(StrEnum):
    """Who hears the warning signal."""

    SCRIPT = "script"
    """What the job starts: the script itself (sbatch --signal=B:...)."""
    STEPS = "steps"
    """What the script started by srun, and not the script. Without steps it is as SCRIPT."""


class WarningSignal(_Frozen):
    """A signal some time before the walltime ends (sbatch --signal), so that a program can save."""

    name: str = Field(default="SIGUSR1", pattern=r"^SIG(USR1|USR2|TERM|INT|HUP)$")
    seconds_before_end: int = Field(ge=1, le=65_535)
    target: SignalTarget = SignalTarget.SCRIPT


class Launch(StrEnum):
    """Where a job of several nodes starts; with one node it makes no difference."""

    EVERY_NODE = "every_node"
    """On each node, told apart by HPC_NODE_RANK; rank 0 is at MASTER_ADDR:MASTER_PORT."""
    FIRST_NODE = "first_node"
    """On the first node only, as sbatch does: the script starts the rest by srun."""


class MailOn(StrEnum):
    """When the person who submitted a job wants a mail, as in sbatch --mail-type."""

    BEGIN = "begin"
    """Its first task started."""
    END = "end"
    """It ended, however it did."""
    FAIL = "fail"
    """It ended, and not as COMPLETED or CANCELLED."""


class JobSpec(_Frozen):
    """One job. Exactly one of `script` and `argv` says what runs."""

    name: str = Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f/]+$")
    script: str | None = Field(default=None, max_length=4 * 1024 * 1024)
    """A whole script with its `#!` line."""
    argv: tuple[str, ...] | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    working_directory: WorkspacePath = "."
    partition: str | None = None
    account: str | None = None
    """Who pays: the project's account name; submit fills it in."""
    qos: str | None = None
    constraint: str | None = Field(default=None, max_length=1024)
    """Features that the nodes must have, as in sbatch --constraint: `skylake&ib`, `[rack1|rack2]`."""
    exclusive: StrictBool = False
    """Whole nodes: every CPU and GPU of them is held, and paid for; memory stays as asked."""
    reservation: Word | None = None
    nodelist: tuple[NodeName, ...] = ()
    """The job gets all of these nodes, perhaps among others."""
    exclude_nodes: tuple[NodeName, ...] = ()
    programs: Annotated[tuple[Program, ...], AfterValidator(lambda given: tuple(sorted(set(given))))] = ()
    """What its script calls. Sorted, each once. A node that is known to lack one of them is not used."""
    begin_at: Instant | None = None
    """It does not start before."""
    hold: StrictBool = False
    """It does not start before somebody releases it."""
    nice: int = Field(default=0, ge=0, le=2_147_483_645)
    """Lowers the priority by so much."""
    launch: Launch = Launch.EVERY_NODE
    comment: str | None = Field(default=None, max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")
    mail_on: Annotated[tuple[MailOn, ...], AfterValidator(lambda given: tuple(sorted(set(given))))] = ()
    """Sorted, each once. The portal sends these mails itself, on every cluster: the scheduler is not told."""
    resources: ResourceRequest = Field(default_factory=ResourceRequest)
    array: ArraySpec | None = None
    dependencies: tuple[Dependency, ...] = ()
    requeue: RequeuePolicy = Field(default_factory=RequeuePolicy)
    warning_signal: WarningSignal | None = None
    stdout_path: WorkspacePath | None = None
    """May use sbatch's %j %A %a %b %x %u, and %3a for at least 3 digits.

    None is `slurm-%j.out`, or `slurm-%A_%a.out` in an array.
    %j and %A are the portal's job id here, so that a path is known before the scheduler's id is."""
    stderr_path: WorkspacePath | None = None
    """None joins stderr to stdout, as sbatch does."""
    inputs: tuple[InputFile, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.script is None) == (self.argv is None):
            raise InvalidJobSpec("script", "give either a script or an argv, and only one of them")
        if self.script is not None and not self.script.startswith("#!"):
            raise InvalidJobSpec(
                "script", "the first line must start with #! and name an interpreter, such as #!/bin/bash"
            )
        if self.argv is not None and (not self.argv or not self.argv[0]):
            raise InvalidJobSpec("argv", "the program's name is missing")
        if any("\0" in text for text in (self.script or "", *(self.argv or ()), *self.environment.values())):
            raise InvalidJobSpec("script", "a NUL character cannot be passed to a program")
        for name in self.environment:
            if not _VARIABLE.match(name) or name.startswith(_RESERVED_VARIABLES):
                raise InvalidJobSpec(
                    "environment", "%(name)r is not a variable name that a job may set", name=name
                )
        self._nodes_make_sense()
        return self

    def _nodes_make_sense(self) -> None:
        if self.constraint is not None:
            constraint.require(self.constraint)
        if len(self.nodelist) > self.resources.nodes:
            raise InvalidJobSpec(
                "nodelist",
                "%(count)s nodes are named and only %(nodes)s asked for",
                count=len(self.nodelist),
                nodes=self.resources.nodes,
            )
        if both := set(self.nodelist).intersection(self.exclude_nodes):
            raise InvalidJobSpec("exclude_nodes", "%(name)s is asked for, too", name=min(both))

    @property
    def task_count(self) -> int:
        """How many tasks the scheduler will run: 1, or the array's length."""
        return len(self.array) if self.array else 1

    def task_indices(self, start: int = 0) -> Iterator[int]:
        """Array task ids in order; a job that is no array has the single index 0."""
        return iter(range(start, 1)) if self.array is None else self.array.indices(start)

    def output_path(self, *, job_id: UUID, task_index: int, user: str = "") -> tuple[str, str]:
        """Workspace paths of stdout and stderr with sbatch's patterns filled in; equal when joined."""
        values = {
            **self.job_values(job_id=job_id, user=user),
            "a": str(task_index),
            "b": str(task_index % 10),
        }

        def fill(pattern: str) -> str:
            return output_names.render(
                pattern, literal=str, placeholder=lambda found: found.fill(values[found.letter])
            )

        stdout = fill(self.stdout_pattern)
        return stdout, fill(self.stderr_path) if self.stderr_path else stdout

    @property
    def stdout_pattern(self) -> str:
        """`stdout_path`, or what it is when nobody gave one."""
        return self.stdout_path or ("slurm-%j.out" if self.array is None else "slurm-%A_%a.out")

    def job_values(self, *, job_id: UUID, user: str) -> dict[str, str]:
        """What the patterns stand for that are the same in all tasks."""
        return {"j": str(job_id), "A": str(job_id), "x": self.name, "u": user}
