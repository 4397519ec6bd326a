"""Turns a submission and its placement into what a node executes: command, variables, paths. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple
from zlib import crc32

from schedulers.dask.messages import Command, Lane, Run, RunKey, Tenant
from schedulers.dask.store import Share
from schedulers.job_variables import SCRIPT_NAME, as_in_slurm, job_variables
from schedulers.protocol import Submission

_FIRST_RENDEZVOUS_PORT = 20_000
_RENDEZVOUS_PORTS = 12_000
"""Below the usual range of ephemeral ports, which starts at 32768."""


class Task(NamedTuple):
    """An attempt that is about to be started."""

    task_index: int
    attempt: int
    restarts: int
    """How many attempts before it did start."""


def command_of(submission: Submission, *, walltime_seconds: int, grace_seconds: float) -> Command:
    """What all runs of a job have in common."""
    spec = submission.spec
    workspace = PurePosixPath(submission.workspace)
    warning = spec.warning_signal
    return Command(
        tenant=Tenant(
            organisation=submission.organisation,
            project=submission.project,
            cluster_user=submission.cluster_user,
            cluster_uid=submission.cluster_uid,
        ),
        argv=spec.argv or (str(workspace / SCRIPT_NAME),),
        environment={
            **spec.environment,
            **as_in_slurm({**job_variables(submission), "HPC_RESTART_COUNT": "0"}),
        },
        workspace=str(workspace),
        working_directory=str(workspace / spec.working_directory),
        walltime_seconds=walltime_seconds,
        grace_seconds=grace_seconds,
        warning_signal=warning.name if warning else None,
        warning_seconds_before_end=warning.seconds_before_end if warning else 0,
    )


def lanes_of(
    submission: Submission,
    command: Command,
    share: Share,
    tasks: Sequence[Task],
    *,
    hosts: Mapping[str, str],
) -> dict[str, Lane]:
    """One lane for each node of the share.

    Args:
        submission: whose runs they are.
        command: from `command_of`.
        share: where they go.
        tasks: in the order they run.
        hosts: an address by which the ranks reach each node, by node name.
    """
    return {
        node: Lane(
            lane_id=share.lane_id,
            command=replace(command, environment=command.environment | _node_variables(share, rank)),
            runs=tuple(_run(submission, share, task, rank, hosts) for task in tasks),
            cpus=share.whole_cpus.get(node, share.cpus),
            memory_mib=share.memory_mib,
            gpu_indices=tuple(share.gpu_indices.get(node, ())),
            slot=share.slot,
        )
        for rank, node in enumerate(share.nodes)
    }


def _run(submission: Submission, share: Share, task: Task, rank: int, hosts: Mapping[str, str]) -> Run:
    task_index, attempt, _ = task
    workspace = submission.workspace
    stdout, stderr = submission.spec.output_path(
        job_id=submission.job_id, task_index=task_index, user=submission.cluster_user
    )
    suffix = f".rank{rank}" if rank else ""
    return Run(
        key=str(RunKey(str(submission.job_id), task_index, attempt, rank)),
        environment=_run_variables(submission, share, task, hosts),
        stdout=f"{workspace}/{stdout}{suffix}",
        stderr=f"{workspace}/{stderr}{suffix}",
        samples=f"{workspace}/.hpc/samples-{task_index}-{attempt}{suffix}.jsonl",
    )


def _run_variables(
    submission: Submission, share: Share, task: Task, hosts: Mapping[str, str]
) -> dict[str, str]:
    task_index, attempt, restarts = task
    variables: dict[str, str] = {}
    if restarts:
        variables |= {"HPC_RESTART_COUNT": str(restarts), "SLURM_RESTART_COUNT": str(restarts)}
    if submission.spec.array is not None:
        names = ("HPC_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_ID", "LSB_JOBINDEX")
        variables |= dict.fromkeys(names, str(task_index))
    if len(share.nodes) > 1:
        name = f"{submission.job_id}/{task_index}/{attempt}"
        port = _FIRST_RENDEZVOUS_PORT + crc32(name.encode()) % _RENDEZVOUS_PORTS
        first = share.nodes[0]
        variables |= {"MASTER_ADDR": hosts.get(first, first), "MASTER_PORT": str(port)}
    return variables


def _node_variables(share: Share, rank: int) -> dict[str, str]:
    nodes = ",".join(share.nodes)
    return {
        "HPC_NODE_RANK": str(rank),
        "HPC_NNODES": str(len(share.nodes)),
        "HPC_NODELIST": nodes,
        "HPC_GPUS_ON_NODE": str(len(share.gpu_indices.get(share.nodes[rank], ()))),
        "SLURM_NODEID": str(rank),
        "SLURM_NNODES": str(len(share.nodes)),
        "SLURM_JOB_NODELIST": nodes,
    }
