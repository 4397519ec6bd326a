"""Where a job's output goes, in Slurm's notation and in the shell's. Pure.

%j and %A are the portal's job id, which a job had before Slurm gave it a number; so only what differs among
the tasks of an array is left for later.
"""

import shlex
from collections.abc import Callable

from schedulers.output_names import Placeholder, pieces, render
from schedulers.protocol import Submission


def is_opened_by_slurm(submission: Submission, pattern: str) -> bool:
    """Whether slurmstepd can open the file; otherwise the wrapper does.

    slurmstepd makes no folders, and the portal makes only those without a pattern in their names; a backslash
    makes Slurm take the whole name literally.
    """
    folder = pattern.rpartition("/")[0]
    is_plain = all(isinstance(piece, str) for piece in pieces(folder))
    return is_plain and "\\" not in slurm_path(submission, pattern)


def slurm_path(submission: Submission, pattern: str) -> str:
    """As Slurm has to be told it: `/w/job/slurm-0190…_%a.out`."""
    return (
        _escaped(submission.workspace)
        + "/"
        + _render(submission, pattern, literal=_escaped, task=_slurm_task)
    )


def shell_path(submission: Submission, pattern: str) -> str:
    """As a word of a POSIX shell; %a and %b become what SLURM_ARRAY_TASK_ID says."""
    return shlex.quote(f"{submission.workspace}/") + _render(
        submission, pattern, literal=shlex.quote, task=_shell_task
    )


def _render(
    submission: Submission,
    pattern: str,
    *,
    literal: Callable[[str], str],
    task: Callable[[Placeholder], str],
) -> str:
    values = submission.spec.job_values(job_id=submission.job_id, user=submission.cluster_user)
    is_array = submission.spec.array is not None

    def placeholder(found: Placeholder) -> str:
        if found.letter in values:
            return literal(values[found.letter])
        return task(found) if is_array else literal(found.fill("0"))

    return render(pattern, literal=literal, placeholder=placeholder)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _slurm_task(found: Placeholder) -> str:
    return f"%{found.width or ''}{found.letter}"


def _shell_task(found: Placeholder) -> str:
    variable = "$SLURM_ARRAY_TASK_ID" if found.letter == "a" else "$((SLURM_ARRAY_TASK_ID % 10))"
    return f'"$(printf %0{found.width or 1}d "{variable}")"'
