"""What a cluster's accounting revises after a job was charged is posted as the difference, once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import JobEvent
from quotas.tables import AccountingRecord
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.jobstate import ExitCode, JobState, JobUsage, StateFlag, TaskSnapshot
from schedulers.memory import DEFAULT_FEATURES
from schedulers.protocol import Feature
from tests.integration.app.conftest import Story

DAY = 86_400


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, as Slurm."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


def spec(*, tasks: str | None = None) -> JobSpec:
    array = ArraySpec(expression=tasks) if tasks else None
    resources = ResourceRequest(walltime_seconds=600)
    return JobSpec(name="one", argv=("/bin/true",), resources=resources, array=array)


def ran(story: Story, *, seconds: int) -> UUID:
    """A job that ended after so long and was settled."""
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(seconds)
    story.scheduler.finish(job_id)
    story.step()
    story.step()
    assert story.job(job_id).phase is Phase.SETTLED
    return job_id


def revise(story: Story, job_id: UUID, *, elapsed_seconds: int) -> None:
    """The accounting tells later that the first run took longer, or less long."""
    run = story.scheduler.accounting[job_id, 0, 0]
    usage = run.usage
    assert usage
    ended_at = usage.ended_at + timedelta(seconds=elapsed_seconds - usage.elapsed_seconds)
    revised = replace(usage, ended_at=ended_at, elapsed_seconds=elapsed_seconds)
    story.scheduler.accounting[job_id, 0, 0] = replace(run, ended_at=ended_at, usage=revised)


def compare(story: Story) -> None:
    """One pass of a controller that remembers nothing."""
    step = CorrectStep(story.context)

    async def whole_pass() -> None:
        while await step():
            pass

    asyncio.run(whole_pass())


def revisions(story: Story) -> list[int]:
    with story.city.services.engine.connect() as connection:
        return list(
            connection.execute(
                select(col(AccountingRecord.revision)).order_by(col(AccountingRecord.revision))
            ).scalars()
        )


def corrections(story: Story, job_id: UUID) -> list[int]:
    with story.city.services.engine.connect() as connection:
        found = select(col(JobEvent.facts)).where(
            col(JobEvent.job_id) == job_id, col(JobEvent.kind) == "job.corrected"
        )
        return [facts["change_vnd"] for facts in connection.execute(found).scalars()]


@pytest.mark.parametrize("seconds", [40, 400])
def test_a_revised_record_changes_the_charge_by_the_difference_once(story: Story, seconds: int) -> None:
    job_id = ran(story, seconds=100)
    first = story.job(job_id).charged_vnd
    available, held, consumed = story.vnd()
    revise(story, job_id, elapsed_seconds=seconds)
    compare(story)
    compare(story)
    (run,) = story.runs(job_id)
    change = run.charged_vnd - first
    assert change * (seconds - 100) > 0
    assert (run.elapsed_seconds, story.job(job_id).charged_vnd) == (seconds, first + change)
    assert story.vnd() == (available - change, held, consumed + change)
    assert (revisions(story), corrections(story, job_id)) == ([0, 1], [change])
    story.require_exact_ledger()


def test_what_was_accounted_right_is_left_alone(story: Story) -> None:
    job_id = ran(story, seconds=100)
    compare(story)
    assert (revisions(story), corrections(story, job_id)) == ([0], [])


def test_a_revision_of_a_revision_and_back_again_each_count(story: Story) -> None:
    job_id = ran(story, seconds=100)
    before = story.vnd()
    for seconds in (400, 100):
        revise(story, job_id, elapsed_seconds=seconds)
        compare(story)
    assert (revisions(story), story.vnd()) == ([0, 1, 2], before)
    assert sum(corrections(story, job_id)) == 0
    story.require_exact_ledger()


def test_tasks_are_corrected_while_others_of_their_array_run(story: Story) -> None:
    job_id = story.submit(spec(tasks="0-1"))
    story.step()
    story.scheduler.advance(100)
    story.scheduler.finish(job_id, 0)
    story.step()
    held = story.vnd()[1]
    revise(story, job_id, elapsed_seconds=400)
    compare(story)
    assert held > 0
    assert story.vnd()[1] == held
    story.scheduler.finish(job_id, 1)
    story.step()
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.charged_vnd) == (Phase.SETTLED, sum(run.charged_vnd for run in story.runs(job_id)))
    assert story.vnd()[1:] == (0, job.charged_vnd)
    story.require_exact_ledger()


def test_what_ended_long_ago_is_not_asked_for(story: Story) -> None:
    job_id = ran(story, seconds=100)
    story.scheduler.advance(4 * DAY)
    revise(story, job_id, elapsed_seconds=400)
    compare(story)
    assert revisions(story) == [0]


def accounted(story: Story, run: tuple[UUID, int, int], state: JobState, *, code: int = 0) -> None:
    """The accounting has a run of 100 seconds."""
    job_id, index, attempt = run
    start = story.job(job_id).submitted_at
    end = start + timedelta(seconds=100)
    used = JobUsage(start, end, 100, {"cpu": 1, "node": 1})
    story.scheduler.accounting[run] = TaskSnapshot(
        index,
        attempt,
        state,
        exit_code=ExitCode(code),
        started_at=start,
        ended_at=end,
        nodes=("n1",),
        usage=used,
    )


def cancelled_while_it_waited(story: Story, **facts: str) -> UUID:
    """A job of which, as far as the portal heard, nothing ever ran."""
    blocker = story.submit(JobSpec(name="all", argv=("x",), resources=ResourceRequest(ntasks=64)))
    story.step()
    job_id = story.submit(spec(**facts))
    story.step()
    request_cancel(story.city.services, story.city.chips.lead, [job_id])
    story.step()
    story.scheduler.finish(blocker)
    story.step()
    assert (story.job(job_id).phase, story.job(job_id).charged_vnd) == (Phase.SETTLED, 0)
    return job_id


def counts(story: Story, job_id: UUID) -> tuple[int, int, int]:
    job = story.job(job_id)
    return job.tasks_completed, job.tasks_failed, job.tasks_cancelled


def test_tasks_that_ran_unseen_are_recorded_charged_once_and_counted(story: Story) -> None:
    job_id = cancelled_while_it_waited(story, tasks="0-3")
    available, held, consumed = story.vnd()
    assert (counts(story, job_id), story.runs(job_id)) == ((0, 0, 4), [])
    accounted(story, (job_id, 1, 0), JobState.COMPLETED)
    accounted(story, (job_id, 2, 0), JobState.FAILED, code=3)
    compare(story)
    compare(story)
    job, runs = story.job(job_id), story.runs(job_id)
    assert counts(story, job_id) == (1, 1, 2)
    assert (job.state, job.exit_code, job.phase) == (JobState.FAILED, 3, Phase.SETTLED)
    assert [(run.task_index, run.state, run.elapsed_seconds) for run in runs] == [
        (1, JobState.COMPLETED, 100),
        (2, JobState.FAILED, 100),
    ]
    assert all(run.settled_at and run.charged_vnd > 0 for run in runs)
    assert job.charged_vnd == sum(run.charged_vnd for run in runs)
    assert story.vnd() == (available - job.charged_vnd, held, consumed + job.charged_vnd)
    assert corrections(story, job_id) == [run.charged_vnd for run in runs]
    story.require_exact_ledger()


def test_a_run_that_ended_otherwise_than_recorded_is_corrected_with_its_job(story: Story) -> None:
    job_id = ran(story, seconds=100)
    run = story.scheduler.accounting[job_id, 0, 0]
    story.scheduler.accounting[job_id, 0, 0] = replace(
        run, state=JobState.FAILED, reason="NonZeroExitCode", exit_code=ExitCode(7)
    )
    compare(story)
    compare(story)
    job, (stored,) = story.job(job_id), story.runs(job_id)
    assert (job.state, job.state_reason, job.exit_code) == (JobState.FAILED, "NonZeroExitCode", 7)
    assert (stored.state, stored.exit_code, counts(story, job_id)) == (JobState.FAILED, 7, (0, 1, 0))
    assert last_state(story, job_id) == "FAILED"
    assert len(corrections(story, job_id)) == 1
    story.require_exact_ledger()


def test_an_end_that_nobody_pays_for_gives_the_charge_back(story: Story) -> None:
    job_id = ran(story, seconds=100)
    charged = story.job(job_id).charged_vnd
    available, _, consumed = story.vnd()
    run = story.scheduler.accounting[job_id, 0, 0]
    story.scheduler.accounting[job_id, 0, 0] = replace(run, state=JobState.NODE_FAIL, exit_code=None)
    compare(story)
    assert charged > 0
    assert (story.job(job_id).charged_vnd, story.job(job_id).state) == (0, JobState.NODE_FAIL)
    assert story.vnd() == (available + charged, 0, consumed - charged)
    assert corrections(story, job_id) == [-charged]
    story.require_exact_ledger()


def test_a_run_after_one_that_was_taken_for_the_last_is_its_jobs_end(story: Story) -> None:
    job_id = ran(story, seconds=100)
    first = story.scheduler.accounting[job_id, 0, 0]
    story.scheduler.accounting[job_id, 0, 0] = replace(first, flags=frozenset({StateFlag.REQUEUED}))
    accounted(story, (job_id, 0, 1), JobState.FAILED, code=9)
    compare(story)
    compare(story)
    job, runs = story.job(job_id), story.runs(job_id)
    assert (job.state, job.exit_code, counts(story, job_id)) == (JobState.FAILED, 9, (0, 1, 0))
    assert [run.is_requeued for run in runs] == [True, False]
    assert job.charged_vnd == sum(run.charged_vnd for run in runs)
    story.require_exact_ledger()


def test_a_requeued_run_stays_one_while_the_accounting_lacks_the_next(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(10)
    story.scheduler.fail_node("n1")
    story.scheduler.restore_node("n1")
    story.step()
    run = story.scheduler.accounting[job_id, 0, 0]
    story.scheduler.accounting[job_id, 0, 0] = replace(run, flags=frozenset())
    compare(story)
    assert [run.is_requeued for run in story.runs(job_id)] == [True, False]
    assert (story.job(job_id).tasks_failed, corrections(story, job_id)) == (0, [])


def test_what_still_runs_is_left_to_those_who_follow_it(story: Story) -> None:
    job_id = story.submit(spec(tasks="0-1"))
    story.step()
    accounted(story, (job_id, 1, 0), JobState.COMPLETED)
    compare(story)
    assert (counts(story, job_id), corrections(story, job_id)) == ((0, 0, 0), [])


def last_state(story: Story, job_id: UUID) -> str:
    with story.city.services.engine.connect() as connection:
        found = (
            select(col(JobEvent.facts))
            .where(col(JobEvent.job_id) == job_id, col(JobEvent.kind) == "job.state")
            .order_by(col(JobEvent.sequence))
        )
        return str(connection.execute(found).scalars().all()[-1]["state"])
