"""What must hold after each round, and when all is done: read from the database and the workspaces."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.audit_log.verify import ChainEnd, verify_chain
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobChange, JobEvent, JobTask
from quotas.balance import balance
from quotas.tables import AccountingRecord
from quotas.verify import verify
from schedulers.jobstate import JobState
from scripts.slurm_cluster.instance import Instance
from tests.e2e.chaos.people import NO_SPACE
from tests.small_city import BUDGET, City

SLURM = "slurm"
"""What the portal calls that cluster."""
_CANNOT_START = 126
"""Exit code of a job whose node could not even open its output."""


@dataclass
class Promises:
    """Checks one portal; remembers the end of the audit log, so that nothing before it may change."""

    city: City
    workspaces: Path
    slurm: Instance
    audited: ChainEnd | None = None
    checks: int = 0

    def check(self, accepted: Collection[str]) -> None:
        """Between two rounds, while everything goes on."""
        snapshot = self.city.services.engine.execution_options(isolation_level="REPEATABLE READ")
        with snapshot.connect() as connection:
            assert verify(connection) == []
            chain = verify_chain(connection, known=self.audited)
            jobs: list[Any] = list(connection.execute(select(Job.__table__)))  # type: ignore[attr-defined]
            runs: list[Any] = list(connection.execute(select(JobTask.__table__)))  # type: ignore[attr-defined]
            money = balance(connection, self.city.chips.project_id, SystemClock().now()).by_asset["VND"]
        assert chain.broken == ()
        self.audited = chain.end
        assert set(accepted) <= {str(job.id) for job in jobs}, "an accepted job is lost"
        assert money.available + money.held + money.consumed == BUDGET["VND"]
        self._require_started_at_most_once(jobs, runs)
        self.checks += 1

    def check_all_settled(self, accepted: Collection[str], cancelled: Collection[str]) -> Counter[JobState]:
        """At the end: what became of all jobs."""
        self.check(accepted)
        with self.city.services.engine.connect() as connection:
            jobs: list[Any] = list(connection.execute(select(Job.__table__)))  # type: ignore[attr-defined]
            runs: list[Any] = list(connection.execute(select(JobTask.__table__)))  # type: ignore[attr-defined]
            records = connection.execute(select(func.count()).select_from(AccountingRecord)).scalar_one()
            money = balance(connection, self.city.chips.project_id, SystemClock().now()).by_asset["VND"]
        assert {str(job.id) for job in jobs} == set(accepted)
        unpaid = [(run.job_id, run.state, run.started_at) for run in runs if run.settled_at is None]
        assert (records, unpaid) == (len(runs), []), "a run has no record of what it used, or two"
        assert (money.held, money.consumed) == (0, sum(job.charged_vnd for job in jobs))
        final = {(run.job_id, run.task_index): run for run in runs if not run.is_requeued}
        for job in jobs:
            mine = [final[job.id, task] for task in range(job.tasks_total) if (job.id, task) in final]
            self._require_honest_end(job, mine, is_cancelled=str(job.id) in cancelled)
        ran = {run.job_id for run in runs}
        self._require_each_once_in_slurm(jobs, ran)
        return Counter(job.state for job in jobs)

    def _require_each_once_in_slurm(self, jobs: Iterable[Any], ran: Collection[Any]) -> None:
        """By slurmdbd's own records, in which the tasks of an array are of one job.

        It never hears of a job that was cancelled before slurmctld looked for a place for it. One that was
        held just after it had started it tells only to who asks for its number, whatever the time.
        """
        sent = {
            (str(self.workspaces / job.workspace), job.scheduler_job_id): job for job in jobs if _is_sent(job)
        }
        sacct = ("sacct", "--noheader", "--allusers", "--allocations", "-P", "--format=JobID,WorkDir")
        numbers = ",".join(number for _, number in sent)
        of_all = self.slurm.run(*sacct, "--starttime=now-2days")
        of_ours = self.slurm.run(*sacct, f"--jobs={numbers}") if numbers else ""
        said = [line.partition("|") for line in f"{of_all}\n{of_ours}".split()]
        pairs = {(folder, number.partition("_")[0]) for number, _, folder in said}
        alone = pairs - sent.keys(), {pair for pair, job in sent.items() if job.id in ran} - pairs
        assert alone == (set(), set()), f"Slurm alone has {alone[0]}, the portal alone {alone[1]}"

    def _require_honest_end(self, job: Any, runs: Collection[Any], *, is_cancelled: bool) -> None:  # noqa: ANN401 - a row
        starts = self._starts(job)
        for run in runs:
            match run.state:
                case JobState.COMPLETED:
                    assert starts[f"{run.task_index} 0"] == 1, f"{job.id} did not run: {starts}"
                case JobState.CANCELLED:
                    assert is_cancelled, f"nobody cancelled {job.id}"
                case JobState.FAILED:
                    assert run.exit_code in {NO_SPACE, _CANNOT_START}, f"{job.id}: {run.reason}"
                case other:
                    raise AssertionError(f"{job.id} ended as {other}: {run.reason}")
        end = (job.scheduler, job.scheduler_job_id, job.phase, job.state, job.state_reason, job.dispatched_at)
        is_whole = is_cancelled or len(runs) == job.tasks_total
        assert is_whole, f"{job.id} lost a task: {end}, {starts}; {self._story(job.id)}"

    def _story(self, job_id: Any) -> str:  # noqa: ANN401 - a key
        """All that is stored of what became of a job."""
        with self.city.services.engine.connect() as connection:
            found = [
                connection.execute(select(table.__table__).where(col(table.job_id) == job_id)).all()  # type: ignore[union-attr]
                for table in (JobTask, JobEvent, JobChange)
            ]
        return "\n".join(str(row) for rows in found for row in rows)

    def _require_started_at_most_once(self, jobs: Iterable[Any], runs: Iterable[Any]) -> None:
        for job in jobs:
            twice = {line: count for line, count in self._starts(job).items() if count > 1}
            assert not twice, f"{job.id} ran twice: {twice}"
            restarted = [line for line in self._starts(job) if not line.endswith(" 0")]
            assert not restarted, f"{job.id} was started again: {restarted}"
        started = Counter((run.job_id, run.task_index) for run in runs if run.started_at is not None)
        assert set(started.values()) <= {1}, started.most_common(3)
        never = [run for run in runs if run.ended_at and not run.started_at]
        costs = {(run.elapsed_seconds, run.charged_vnd) for run in never}
        assert costs <= {(0, 0)}, f"what never started cost something: {costs}"

    def _starts(self, job: Any) -> Counter[str]:  # noqa: ANN401 - a row
        file = self.workspaces / job.workspace / "starts"
        return Counter(file.read_text().splitlines()) if file.exists() else Counter()

    def unsettled(self) -> int:
        """How many jobs are not."""
        with self.city.services.engine.connect() as connection:
            open_jobs = select(func.count()).select_from(Job).where(col(Job.phase) != Phase.SETTLED)
            return connection.execute(open_jobs).scalar_one()

    def events(self) -> list[int]:
        """Sequences of all events of the project, in order."""
        with self.city.services.engine.connect() as connection:
            mine = col(JobEvent.project_id) == self.city.chips.project_id
            found = select(col(JobEvent.sequence)).where(mine).order_by(col(JobEvent.sequence))
            return [sequence for sequence in connection.execute(found).scalars() if sequence]


def _is_sent(job: Any) -> bool:  # noqa: ANN401 - a row
    return job.scheduler == SLURM and job.scheduler_job_id is not None
