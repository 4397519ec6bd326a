"""Reads the end of a run out of what its node, or the nodes of all its ranks, reported. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from schedulers.dask.messages import RunReport
from schedulers.jobstate import ExitCode, JobState

_WEIGHT = {JobState.CANCELLED: 1, JobState.COMPLETED: 2}


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. Times are Unix seconds."""

    state: JobState
    reason: str
    ended_at: float
    started_at: float | None = None
    exit_code: ExitCode | None = None
    cpu_seconds: float = 0.0
    max_rss_mib: int = 0
    gpu_busy_seconds: float | None = None


def end_of_report(report: RunReport) -> RunEnd:
    """The end that one node reported. A state we do not know becomes UNKNOWN, with the raw word as reason."""
    state = JobState(report.state) if report.state in JobState.__members__ else JobState.UNKNOWN
    has_code = report.exit_code is not None or report.signal is not None
    return RunEnd(
        state=state,
        reason=report.state if state is JobState.UNKNOWN else report.reason,
        started_at=report.started_at,
        ended_at=report.ended_at or report.started_at or 0.0,
        exit_code=ExitCode(report.exit_code or 0, report.signal or 0) if has_code else None,
        cpu_seconds=report.cpu_seconds,
        max_rss_mib=report.max_rss_mib,
        gpu_busy_seconds=report.gpu_busy_seconds,
    )


def end_of_gang(reports: Sequence[RunReport]) -> RunEnd:
    """The end of a job on several nodes: its first rank that failed by itself speaks for all.

    Ranks that were cancelled come last, for we cancel them when another rank has failed.

    Args:
        reports: the ends of all ranks, in the order they became known.
    """
    ends = [end_of_report(report) for report in reports]
    cause = min(ends, key=lambda end: _WEIGHT.get(end.state, 0))
    busy = [end.gpu_busy_seconds for end in ends if end.gpu_busy_seconds is not None]
    started = [end.started_at for end in ends if end.started_at is not None]
    return RunEnd(
        state=cause.state,
        reason=cause.reason,
        started_at=min(started, default=None),
        ended_at=max(end.ended_at for end in ends),
        exit_code=cause.exit_code,
        cpu_seconds=sum(end.cpu_seconds for end in ends),
        max_rss_mib=max(end.max_rss_mib for end in ends),
        gpu_busy_seconds=sum(busy) if busy else None,
    )
