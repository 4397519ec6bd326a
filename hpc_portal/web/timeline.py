"""A job's way from submit to settlement, as steps of a line."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc_portal.app.jobs.lifecycle import Phase
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `progress` is a class in app.css: done, now or ahead."""

    text: str
    at: datetime | None
    progress: str
    lasted: float | None = None
    """Seconds since the step before; of the present one, until now."""
    note: str = ""
    """Shown while there is no time yet."""


@dataclass(frozen=True, slots=True)
class Times:
    """When a job did what."""

    submitted_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None


def timeline(times: Times, phase: Phase, *, now: datetime) -> list[Step]:
    """The steps in order. A step that was left out (never started) is not shown once the job is over."""
    is_over = phase in (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)
    planned = (
        (N_("Submitted"), times.submitted_at, ""),
        (N_("Queued"), times.dispatched_at, N_("on its way to the scheduler")),
        (N_("Started"), times.started_at, N_("waiting in the queue")),
        (N_("Ended"), times.ended_at, N_("running now")),
        (N_("Charged"), times.settled_at, N_("being settled")),
    )
    steps: list[Step] = []
    previous: datetime | None = None
    has_open = False
    for text, at, note in planned:
        if at is None and (is_over and not (text == "Charged" and phase is Phase.ENDED)):
            continue
        if at is None:
            passed = _seconds(now - previous) if previous and not has_open else None
            steps.append(Step(text, None, "ahead" if has_open else "now", passed, "" if has_open else note))
            has_open = True
            continue
        lasted = _seconds(at - previous) if previous else None
        steps.append(Step(text, at, "done", lasted))
        previous = at
    return steps


def _seconds(passed: timedelta) -> float:
    return max(0.0, passed.total_seconds())
