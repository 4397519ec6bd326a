"""All that header options ask for, and how a complete JobSpec is put together from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import (
    ArraySpec,
    Dependency,
    JobSpec,
    Launch,
    MailOn,
    RequeuePolicy,
    ResourceRequest,
    WarningSignal,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The values of options as they were read; None and empty where nobody asked."""

    name: str | None = None
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    nodelist: tuple[str, ...] = ()
    exclude_nodes: tuple[str, ...] = ()
    is_exclusive: bool = False
    begin_at: datetime | None = None
    nice: int | None = None
    comment: str | None = None
    is_held: bool = False
    mail_on: tuple[MailOn, ...] = ()
    has_mail_at_begin: bool = False
    has_mail_at_end: bool = False
    array: ArraySpec | None = None
    dependencies: tuple[Dependency, ...] = ()
    nodes: int | None = None
    ntasks: int | None = None
    ntasks_per_node: int | None = None
    cpus_per_task: int | None = None
    cpus_per_gpu: int | None = None
    memory_per_node: int | None = None
    memory_per_cpu: int | None = None
    memory_per_gpu: int | None = None
    memory_per_task: int | None = None
    gres: Mapping[str, int] | None = None
    gpus_per_node: Mapping[str, int] | None = None
    gpus_per_task: Mapping[str, int] | None = None
    gpus_of_job: Mapping[str, int] | None = None
    licenses: Mapping[str, int] = field(default_factory=dict)
    walltime_seconds: int | None = None
    warning_signal: WarningSignal | None = None
    is_requeued: bool | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    working_directory: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


GROUPS = (
    frozenset({"memory_per_node", "memory_per_cpu", "memory_per_gpu", "memory_per_task"}),
    frozenset({"gres", "gpus_per_node", "gpus_per_task", "gpus_of_job"}),
    frozenset({"cpus_per_task", "cpus_per_gpu"}),
)
"""Different ways to say the same: one on the command line takes back those in the script."""


def assemble(asked: Asked, *, script: str, name: str, launch: Launch) -> JobSpec:
    """The JobSpec, with what follows from several options together.

    Args:
        asked: by script and command line.
        script: the whole of it; the job runs it unchanged.
        name: for a job whose options name none, as sbatch takes the script's file name.
        launch: where a job of several nodes starts.

    Raises:
        InvalidJobSpec: two options contradict each other.
        pydantic.ValidationError: a value is out of range.
    """
    facts: dict[str, Any] = {
        "name": asked.name or name,
        "script": script,
        "environment": dict(asked.environment),
        "partition": asked.partition,
        "account": asked.account,
        "qos": asked.qos,
        "constraint": asked.constraint,
        "exclusive": asked.is_exclusive,
        "reservation": asked.reservation,
        "nodelist": asked.nodelist,
        "exclude_nodes": asked.exclude_nodes,
        "begin_at": asked.begin_at,
        "nice": asked.nice or 0,
        "comment": asked.comment,
        "mail_on": _mail_on(asked),
        "launch": launch,
        "resources": _resources(asked),
        "array": asked.array,
        "dependencies": asked.dependencies,
        "hold": asked.is_held,
        "warning_signal": asked.warning_signal,
    }
    if asked.is_requeued is not None:
        facts["requeue"] = RequeuePolicy(on_node_fail=asked.is_requeued)
    return JobSpec.model_validate(facts | _files(asked))


def _mail_on(asked: Asked) -> tuple[MailOn, ...]:
    at = {MailOn.BEGIN: asked.has_mail_at_begin, MailOn.END: asked.has_mail_at_end}
    return (*asked.mail_on, *(when for when, is_wanted in at.items() if is_wanted))


def _files(asked: Asked) -> dict[str, str]:
    """Names of files are relative to the working directory, as with sbatch; in a JobSpec to the workspace."""
    files = {"stdout_path": asked.stdout_path, "stderr_path": asked.stderr_path}
    folder = asked.working_directory
    if folder is None:
        return {name: path for name, path in files.items() if path}
    default = "slurm-%j.out" if asked.array is None else "slurm-%A_%a.out"
    files["stdout_path"] = asked.stdout_path or default
    return {name: f"{folder}/{path}" for name, path in files.items() if path} | {"working_directory": folder}


def _resources(asked: Asked) -> ResourceRequest:
    nodes, ntasks = _nodes_and_tasks(asked)
    tasks_per_node = -(-ntasks // nodes)
    gpus = _gpus_per_node(asked, nodes, ntasks)
    cpus = asked.cpus_per_task or 1
    if asked.cpus_per_gpu is not None:
        if asked.cpus_per_task is not None:
            raise InvalidJobSpec("cpus_per_task", "Give CPUs for each task or for each GPU, not both")
        cpus = _shared_out(
            "cpus_per_task", asked.cpus_per_gpu * _needed(gpus, "cpus_per_task"), tasks_per_node
        )
    memory = _memory_per_node(asked, gpus, tasks_per_node=tasks_per_node, cpus_per_node=tasks_per_node * cpus)
    facts: dict[str, Any] = {} if memory is None else {"memory_mib_per_node": memory}
    return ResourceRequest(
        nodes=nodes,
        ntasks=ntasks,
        ntasks_per_node=asked.ntasks_per_node,
        cpus_per_task=cpus,
        gpus_per_node=gpus,
        licenses=dict(asked.licenses),
        walltime_seconds=asked.walltime_seconds,
        **facts,
    )


def _nodes_and_tasks(asked: Asked) -> tuple[int, int]:
    """Nodes default to one, or to what the named nodes and the tasks for each node come to."""
    nodes, ntasks, each = asked.nodes, asked.ntasks, asked.ntasks_per_node
    if ntasks is None and asked.gpus_of_job and asked.gpus_per_task and not each:
        ntasks = _shared_out(
            "ntasks", sum(asked.gpus_of_job.values()), sum(asked.gpus_per_task.values()) or 1
        )
    if nodes is None:
        nodes = max(1, len(asked.nodelist), -(-ntasks // each) if ntasks and each else 1)
    if ntasks is None:
        ntasks = nodes * (each or 1)
    return (min(nodes, ntasks) if asked.ntasks else nodes), ntasks


def _gpus_per_node(asked: Asked, nodes: int, ntasks: int) -> dict[str, int]:
    ways: list[Mapping[str, int]] = [way for way in (asked.gres, asked.gpus_per_node) if way is not None]
    if asked.gpus_per_task is not None:
        tasks = _shared_out("gpus_per_node", ntasks, nodes) if asked.gpus_per_task else 1
        ways.append({name: each * tasks for name, each in asked.gpus_per_task.items()})
    if asked.gpus_of_job is not None:
        counts = asked.gpus_of_job.items()
        ways.append({name: _shared_out("gpus_per_node", total, nodes) for name, total in counts})
    if any(dict(way) != dict(ways[0]) for way in ways):
        raise InvalidJobSpec("gpus_per_node", "The options ask for different numbers of GPUs on each node")
    return dict(ways[0]) if ways else {}


def _memory_per_node(
    asked: Asked, gpus: Mapping[str, int], *, tasks_per_node: int, cpus_per_node: int
) -> int | None:
    ways = [
        asked.memory_per_node,
        asked.memory_per_cpu and asked.memory_per_cpu * cpus_per_node,
        asked.memory_per_task and asked.memory_per_task * tasks_per_node,
        asked.memory_per_gpu and asked.memory_per_gpu * _needed(gpus, "memory_mib_per_node"),
    ]
    given = [way for way in ways if way is not None]
    if len(given) > 1:
        raise InvalidJobSpec(
            "memory_mib_per_node", "Give memory for each node, CPU or GPU, not several of them"
        )
    return given[0] if given else None


def _needed(gpus: Mapping[str, int], field_name: str) -> int:
    if not gpus:
        raise InvalidJobSpec(field_name, "It is given for each GPU, and no GPU is asked for")
    return sum(gpus.values())


def _shared_out(field_name: str, total: int, parts: int) -> int:
    if total % parts:
        raise InvalidJobSpec(
            field_name,
            "%(total)s cannot be shared out evenly among %(parts)s; every node of a job gets the same",
            total=total,
            parts=parts,
        )
    return total // parts
