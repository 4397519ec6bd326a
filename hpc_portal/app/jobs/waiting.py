"""Why what waits of a job waits, as pages, API and command line say it; pure."""

from dataclasses import dataclass

from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.wish import HeldBy
from schedulers.reasons import explain


@dataclass(frozen=True, slots=True)
class Waiting:
    """The reason in words, and how much of the job it is about."""

    raw: str
    """The scheduler's own word, or the portal's; always shown beside the sentence."""
    text: str
    who: str
    """Who can change it: `nobody`, `you`, `project`, `administrator`; "" for a reason that is not known."""
    advice: str
    tasks_waiting: int
    tasks_running: int


def why_waiting(job: JobSummary, language: str) -> Waiting | None:
    """None when nothing of the job waits, or nobody has said why."""
    if job.is_over or job.tasks_pending < 1:
        return None
    raw = _HELD[job.holder] if job.holder else job.state_reason
    if not raw:
        return None
    found = explain(raw, language)
    return Waiting(raw, found.text, found.who, found.advice, job.tasks_pending, job.tasks_running)


_HELD = {HeldBy.USER: "JobHeldUser", HeldBy.ADMINISTRATOR: "JobHeldAdmin"}
