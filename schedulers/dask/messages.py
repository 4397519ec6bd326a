"""What the placement, the Dask worker and the node's supervisor say to each other; pure, JSON both ways.

A *run* is one attempt of one task on one node (a rank of it, when a job spans nodes). A *lane* is a share
of a node (CPUs, memory, GPUs) that executes its runs one after another: one run for a long job, many for
short array tasks, so that the network is crossed once per batch and not once per task.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """Names a run for ever; text form `job_id/task_index/attempt/rank`."""

    job_id: str
    task_index: int
    attempt: int
    rank: int = 0

    def __str__(self) -> str:
        return f"{self.job_id}/{self.task_index}/{self.attempt}/{self.rank}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in a text form made by `str`."""
        job_id, task_index, attempt, rank = text.split("/")
        return cls(job_id, int(task_index), int(attempt), int(rank))


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose processes these are: runs of different tenants never share a sandbox.

    The user id is looked up on the node from `cluster_user`; `cluster_uid` serves where it has no account.
    """

    organisation: str
    project: str
    cluster_user: str
    cluster_uid: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What the runs of one job have in common."""

    tenant: Tenant
    argv: tuple[str, ...]
    environment: dict[str, str]
    """Complete but for PATH, HOME, TMPDIR, USER and what each run adds."""
    workspace: str
    """Absolute path of the job's own folder."""
    working_directory: str
    """Absolute; inside the workspace."""
    walltime_seconds: int
    grace_seconds: float
    """Between SIGTERM and SIGKILL at the walltime."""
    warning_signal: str | None = None
    warning_seconds_before_end: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One process to start."""

    key: str
    environment: dict[str, str]
    """Added to the command's: array index, rank, rendezvous."""
    stdout: str
    """Absolute; inside the workspace."""
    stderr: str
    """The same as stdout when joined."""
    samples: str
    """Absolute path of the JSONL file that takes CPU, memory and GPU samples."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A share of one node and the runs of one job to execute in it, in order."""

    lane_id: str
    command: Command
    runs: tuple[Run, ...]
    cpus: int
    memory_mib: int
    gpu_indices: tuple[int, ...] = ()
    slot: str = ""
    """Lanes that name the same slot use one share in turn, in the order they arrived: a lane sent ahead
    starts the moment the one before it has ended. They have the same tenant, CPUs, memory and GPUs.
    "" is a slot of its own."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict for json.dumps; it shares what it holds with the lane, for there are many runs."""
        return {
            **_fields(self),
            "command": {**_fields(self.command), "tenant": _fields(self.command.tenant)},
            "runs": [_fields(run) for run in self.runs],
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after a trip through JSON."""
        command = dict(json["command"])
        command["tenant"] = Tenant(**command["tenant"])
        command["argv"] = tuple(command["argv"])
        return cls(
            **{
                **json,
                "command": Command(**command),
                "runs": tuple(Run(**run) for run in json["runs"]),
                "gpu_indices": tuple(json["gpu_indices"]),
            }
        )


def _fields(item: Lane | Command | Tenant | Run) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__}


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that a node knows of one run; sent when it starts and when it ends, and listed on demand.

    Times are Unix seconds on the node's clock.
    """

    key: str
    lane_id: str
    state: str
    """`queued` in its lane, `running`, or the end: a `JobState` name."""
    reason: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    max_rss_mib: int = 0
    gpu_busy_seconds: float | None = None
    """None where no GPU could be read."""
    gpu_indices: tuple[int, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether this is the last word on the run."""
        return self.state not in {"queued", "running"}

    def to_json(self) -> dict[str, Any]:
        """A plain dict for json.dumps; what is not known is left out, for there are many of these."""
        known = ((name, getattr(self, name), default) for name, default in _REPORT_DEFAULTS)
        return {name: value for name, value, default in known if value != default}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after a trip through JSON."""
        return cls(**{**json, "gpu_indices": tuple(json.get("gpu_indices", ()))})


_REPORT_DEFAULTS = tuple((item.name, item.default) for item in fields(RunReport))


@dataclass(frozen=True, slots=True)
class NodeHello:
    """What a node offers; announced by the worker plugin when it joins and again as a heartbeat."""

    node: str
    worker_address: str
    supervisor_id: str
    """Changes when the supervisor was started anew: every run it had is lost then."""
    cpus: int
    memory_mib: int
    gpus: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """GPU indices by type."""
    isolation: str = "none"
    """`sandbox`, `user` or `none`: how tenants are kept apart here."""
    serves_several_organisations: bool = True
    draining: bool = False
    missing_programs: tuple[str, ...] = ()
    """Commands that were looked for and that jobs would not find."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict for json.dumps."""
        return asdict(self)

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after a trip through JSON."""
        gpus = {kind: tuple(indices) for kind, indices in json["gpus"].items()}
        missing = tuple(json.get("missing_programs", ()))
        return cls(**{**json, "gpus": gpus, "missing_programs": missing})


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """One message of a node on the Dask topic `hpc-node`: its heartbeat, or what changed, or both."""

    node: str
    supervisor_id: str
    hello: NodeHello | None = None
    runs: tuple[RunReport, ...] = ()
    """The latest word on each run that started or ended; a run that did both is told once."""
    drained: tuple[str, ...] = ()
    """Lanes whose runs have all ended: their share of the node is free again."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict for json.dumps or msgpack."""
        return {
            "node": self.node,
            "supervisor_id": self.supervisor_id,
            "hello": self.hello and self.hello.to_json(),
            "runs": [report.to_json() for report in self.runs],
            "drained": list(self.drained),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after a trip through JSON."""
        hello = json["hello"]
        return cls(
            node=json["node"],
            supervisor_id=json["supervisor_id"],
            hello=NodeHello.from_json(hello) if hello else None,
            runs=tuple(RunReport.from_json(report) for report in json["runs"]),
            drained=tuple(json["drained"]),
        )
