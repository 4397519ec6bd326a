"""Turns a submission into slurmrestd's job description, in the shape of the newest API version. Pure.

Field by field what sbatch would send for the same options; tests/contract/sbatch_corpus compares both on a
real cluster. Mail is left out: the portal's own business.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from schedulers.job_variables import job_variables
from schedulers.jobspec import JobSpec, Launch, SignalTarget
from schedulers.protocol import Submission
from schedulers.slurm.output_files import is_opened_by_slurm, slurm_path
from schedulers.slurm.wrapper import may_requeue, wrapper_script

REQUEST_KEY = "hpc-portal:"
"""A job's comment starts with this and our job id: so we find it again after an answer got lost."""

_COMMENT = re.compile(rf"^{REQUEST_KEY}([0-9a-f-]{{36}})(?:\s|$)")
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_SECONDS_PER_MINUTE = 60


def comment_of(job_id: UUID, text: str | None = None) -> str:
    """`hpc-portal:<job id>`, and behind it what the user wrote."""
    return f"{REQUEST_KEY}{job_id} {text}" if text else f"{REQUEST_KEY}{job_id}"


def job_id_of_comment(text: str) -> UUID | None:
    """Our job id in a comment made by `comment_of`; None for a job that is not ours."""
    match = _COMMENT.match(text)
    try:
        return UUID(match[1]) if match else None
    except ValueError:
        return None


def job_request(
    submission: Submission, *, runtime_paths: Sequence[str] = (), takes_samples: bool = True
) -> dict[str, object]:
    """The request's `job` object, with the script that starts the job's own program.

    What nobody asked for is left out, so that the site's defaults hold.

    Args:
        submission: the job.
        runtime_paths: folders on the nodes whose `bin` comes first in the job's PATH.
        takes_samples: whether the script notes what the job uses, see sampler.py.
    """
    spec = submission.spec
    optional: dict[str, object] = {
        "array": spec.array.expression if spec.array else None,
        "begin_time": _number(int(spec.begin_at.timestamp())) if spec.begin_at else None,
        "constraints": spec.constraint and spec.constraint.replace(",", "&").replace(" ", ""),
        "excluded_nodes": list(spec.exclude_nodes),
        "hold": submission.is_held,
        "nice": spec.nice,
        "qos": spec.qos,
        "required_nodes": list(spec.nodelist),
        "reservation": spec.reservation,
        "shared": ["none"] if spec.exclusive else [],
        **_dependencies(submission),
        **_resources(spec),
        **_warning(spec),
    }
    return {
        "account": spec.account or submission.project,
        "comment": comment_of(submission.job_id, spec.comment),
        "current_working_directory": f"{submission.workspace}/{spec.working_directory}".removesuffix("/."),
        "environment": environment_of(submission),
        "name": spec.name,
        "open_mode": ["APPEND"],
        "partition": spec.partition,
        "requeue": may_requeue(spec),
        "script": wrapper_script(submission, runtime_paths=runtime_paths, takes_samples=takes_samples),
        **_output_files(submission),
        **{name: value for name, value in optional.items() if value},
    }


def environment_of(submission: Submission) -> list[str]:
    """`NAME=value` each; never empty, which slurmrestd refuses, and no secret of the portal among them."""
    variables = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        **_as_sbatch_sets(submission),
        **submission.spec.environment,
        **job_variables(submission),
    }
    return [f"{name}={value}" for name, value in variables.items()]


def _as_sbatch_sets(submission: Submission) -> dict[str, str]:
    """Variables that sbatch itself adds, which slurmctld does not; srun takes some as its options."""
    spec, asked = submission.spec, submission.spec.resources
    variables = {"SLURM_SUBMIT_DIR": submission.workspace}
    if asked.cpus_per_task > 1:
        variables["SLURM_CPUS_PER_TASK"] = str(asked.cpus_per_task)
    if asked.cpus_per_task > 1 and spec.launch is Launch.FIRST_NODE:
        variables["SLURM_TRES_PER_TASK"] = f"cpu={asked.cpus_per_task}"
    if asked.ntasks_per_node:
        variables["SLURM_NTASKS_PER_NODE"] = str(asked.ntasks_per_node)
    return variables


def _resources(spec: JobSpec) -> dict[str, object]:
    """Slurm may put 3 of 4 tasks on one node and 1 on the other; here each gets the same, as it was priced.

    A script for sbatch gets what it gets there.
    """
    asked = spec.resources
    even = -(-asked.ntasks // asked.nodes) if asked.nodes > 1 and spec.launch is Launch.EVERY_NODE else None
    walltime = asked.walltime_seconds
    return {
        "minimum_nodes": asked.nodes,
        "maximum_nodes": asked.nodes,
        "tasks": asked.ntasks,
        "tasks_per_node": asked.ntasks_per_node or even,
        "cpus_per_task": asked.cpus_per_task,
        "memory_per_node": _number(asked.memory_mib_per_node),
        "time_limit": _number(-(-walltime // _SECONDS_PER_MINUTE)) if walltime else None,
        "tres_per_node": ",".join(
            f"gres/gpu:{gpu_type}:{count}" if gpu_type else f"gres/gpu:{count}"
            for gpu_type, count in asked.gpus_per_node.items()
        ),
        "licenses": ",".join(f"{feature}:{count}" for feature, count in asked.licenses.items()),
    }


def _dependencies(submission: Submission) -> dict[str, object]:
    """A condition that can never be met leaves the job pending, as with sbatch's own default."""
    conditions = [f"{item.kind}:{item.scheduler_job_id}" for item in submission.dependencies]
    if not conditions:
        return {}
    return {"dependency": ",".join(conditions), "flags": ["NO_KILL_INVALID_DEPENDENCY"]}


def _warning(spec: JobSpec) -> dict[str, object]:
    """BATCH_JOB is sbatch's `B:`, the script's own process; without it Slurm signals the steps.

    A job that starts on every node has its program in a step of ours.
    """
    warning = spec.warning_signal
    if warning is None:
        return {}
    in_step = spec.launch is Launch.EVERY_NODE and spec.resources.nodes > 1
    is_for_script = warning.target is SignalTarget.SCRIPT and not in_step
    return {
        "kill_warning_signal": warning.name.removeprefix("SIG"),
        "kill_warning_delay": _number(warning.seconds_before_end),
        "kill_warning_flags": ["BATCH_JOB"] if is_for_script else [],
    }


def _output_files(submission: Submission) -> dict[str, object]:
    """Absolute paths in Slurm's notation. All is filled in but what differs among the tasks of an array."""
    patterns = {
        "standard_output": submission.spec.stdout_pattern,
        "standard_error": submission.spec.stderr_path,
    }
    return {
        field: slurm_path(submission, pattern) if is_opened_by_slurm(submission, pattern) else "/dev/null"
        for field, pattern in patterns.items()
        if pattern is not None
    }


def _number(value: int) -> dict[str, object]:
    """Slurm's number that may also be unset or infinite."""
    return {"set": True, "infinite": False, "number": value}
