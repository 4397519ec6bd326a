"""slurmdbd's records of any job, whoever submitted it, as runs that the portal can show and charge."""

from collections.abc import Sequence
from datetime import datetime

from schedulers.external import ExternalRun
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState, StateFlag
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.meter_runs import read_tres
from schedulers.slurm.read_jobs import read_alone
from schedulers.slurm.read_states import read_state
from schedulers.slurm.translate import job_id_of_comment
from schedulers.slurm.wire_accounting import AccountedJob

_SECONDS_PER_MINUTE = 60


class SlurmExternalJobs:
    """See ExternalJobs."""

    def __init__(self, client: SlurmClient) -> None:
        self._client = client

    async def runs(self, *, start: datetime, end: datetime) -> Sequence[ExternalRun]:
        """Every run of the window; records without a time of submission are none."""
        records = await self._client.accounting(start=start, end=end)
        return [run for record in records if (run := read_external(record)) is not None]


def read_external(record: AccountedJob) -> ExternalRun | None:
    """One record of slurmdbd; None for one that says nothing of when it was submitted."""
    if record.time.submission is None:
        return None
    past = read_alone(record)
    run, usage = past.run, past.run.usage if past.run else None
    said = read_state(record.state.current)
    limit = record.time.limit
    return ExternalRun(
        scheduler_job_id=past.job_id,
        task_index=past.task_index,
        is_array=record.array.job_id is not None,
        submitted_at=record.time.submission,
        tasks=_count_tasks(record.array.task) if past.task_index is None else 1,
        claims_job=job_id_of_comment(record.comment),
        cluster_user=record.user,
        account=record.account,
        name=record.name,
        partition=record.partition,
        qos=record.qos,
        state=run.state if run else said.base,
        is_requeued=run is not None and StateFlag.REQUEUED in run.flags,
        reason=run.reason if run else "",
        exit_code=run.exit_code.code if run and run.exit_code else None,
        exit_signal=run.exit_code.signal if run and run.exit_code else None,
        started_at=run.started_at if run else record.time.start,
        ended_at=run.ended_at if run else _cancelled_at(record, said.base),
        elapsed_seconds=usage.elapsed_seconds if usage else 0,
        allocated_tres=usage.allocated_tres if usage else read_tres(record.tres.allocated),
        requested_tres=read_tres(record.tres.requested),
        nodes=run.nodes if run else (),
        walltime_seconds=limit * _SECONDS_PER_MINUTE if isinstance(limit, int) else None,
        cpu_seconds=usage.cpu_seconds if usage else 0.0,
        max_rss_mib=usage.max_rss_mib if usage else 0,
    )


def _count_tasks(expression: str) -> int:
    """How many tasks `5-9%2` names; one for what is no such expression."""
    try:
        return len(ArraySpec(expression=expression.strip("[]")))
    except ValueError:
        return 1


def _cancelled_at(record: AccountedJob, state: JobState) -> datetime | None:
    """The end of what was cancelled before it started."""
    return record.time.end if state.is_terminal else None
