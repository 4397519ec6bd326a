"""A job's way from submit to settled, on both databases."""

import asyncio
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from hpc_portal.app import leases
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.db import transact
from hpc_portal.app.errors import IdempotencyKeyReused, InvalidSubmission, NotAllowed, ProjectNotFound
from hpc_portal.app.group_commit import GroupCommit, Together
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.estimate import estimate_job
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.store_together import Submission
from hpc_portal.app.jobs.submit import SubmitRequest, SubmittedJob, submit_job
from hpc_portal.app.leases import LeaseLost
from hpc_portal.app.tables import Job, JobEvent
from quotas.errors import BudgetExceeded
from quotas.hold_tables import QuotaHold
from quotas.tables import PriceItemRow
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.memory import SubmitScenario
from tests.integration.app.conftest import Story

T = TypeVar("T")

HOUR = 3600
ONE_CPU_HOUR = ResourceRequest(cpus_per_task=1, memory_mib_per_node=1024, walltime_seconds=HOUR)
HELD_FOR_AN_HOUR = 360 + 36
"""One CPU-hour at 360 and one GiB-hour at 36 đồng."""


def spec(name: str = "sim", **more: object) -> JobSpec:
    fields = {"name": name, "argv": ("/bin/true",), "resources": ONE_CPU_HOUR, **more}
    return JobSpec.model_validate(fields)


def stored_jobs(story: Story) -> int:
    with story.city.services.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Job)).scalar_one()


def test_a_job_is_held_run_charged_and_closed(story: Story) -> None:
    job_id = story.submit(spec())
    assert story.vnd() == (100_000_000 - HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR, 0)
    story.step()
    assert (story.job(job_id).phase, story.job(job_id).state) == (Phase.TRACKED, JobState.RUNNING)
    story.scheduler.advance(HOUR / 2)
    story.scheduler.finish(job_id)
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.state, job.exit_code) == (Phase.SETTLED, JobState.COMPLETED, 0)
    assert job.charged_vnd == 180 + 18
    assert story.vnd() == (100_000_000 - 198, 0, 198)
    story.require_exact_ledger()


def test_repeating_every_step_changes_nothing(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(100)
    story.scheduler.finish(job_id)
    for _ in range(3):
        story.step()
    assert story.scheduler.started == [(job_id, 0, 0)]
    assert story.vnd() == (100_000_000 - 11, 0, 11)
    story.require_exact_ledger()


def test_an_array_is_one_job_whose_pending_tasks_have_no_rows(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-99999%50")))
    story.step()
    assert len(story.runs(job_id)) == 50
    assert story.job(job_id).tasks_running == 50
    assert story.vnd()[1] == 100_000 * HELD_FOR_AN_HOUR


def test_an_array_settles_each_task_and_counts_the_failed(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-9")))
    story.step()
    story.scheduler.advance(10)
    for index in range(10):
        story.scheduler.finish(job_id, index, exit_code=index % 2)
    story.step()
    job = story.job(job_id)
    assert (job.state, job.tasks_completed, job.tasks_failed) == (JobState.FAILED, 5, 5)
    assert job.charged_vnd == 10 * 1
    assert [run.charged_vnd for run in story.runs(job_id)] == [1] * 10
    story.require_exact_ledger()


def test_the_same_key_gives_the_same_job(story: Story) -> None:
    first = story.submit(spec(), idempotency_key="k1")
    assert story.submit(spec(), idempotency_key="k1") == first
    assert stored_jobs(story) == 1
    with pytest.raises(IdempotencyKeyReused):
        story.submit(spec("other"), idempotency_key="k1")
    other = story.submit(spec(), idempotency_key="k1", actor=story.city.chips.lead)
    assert other != first


def test_the_same_key_at_once_gives_one_job(story: Story) -> None:
    async def burst() -> set[object]:
        request = SubmitRequest(project="chips", spec=spec(), idempotency_key="burst")
        member = story.city.chips.member
        submitted = await asyncio.gather(
            *(submit_job(story.city.services, member, request) for _ in range(20))
        )
        assert sum(job.is_new for job in submitted) == 1
        return {job.job_id for job in submitted}

    assert len(asyncio.run(burst())) == 1
    assert story.vnd()[1] == HELD_FOR_AN_HOUR


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"partition": "nowhere"}, "partition"),
        ({"resources": {"gpus_per_node": {"h100": 9}}}, "gpus_per_node"),
        ({"resources": {"walltime_seconds": 8 * 86_400}}, "walltime_seconds"),
        ({"resources": {"nodes": 2, "ntasks": 2}}, "nodes"),
        ({"resources": {"licenses": {"vcs": 1}}}, "licenses"),
    ],
)
def test_a_job_that_can_never_run_is_refused_and_nothing_is_stored(
    story: Story, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSubmission) as refused:
        story.submit(spec(**wrong))
    assert refused.value.problems[0].field == field
    assert stored_jobs(story) == 0
    assert story.vnd() == (100_000_000, 0, 0)


def test_a_budget_too_small_refuses_with_both_numbers_and_stores_nothing(story: Story) -> None:
    dear = ResourceRequest(gpus_per_node={"h100": 8}, walltime_seconds=7 * 86_400)
    with pytest.raises(BudgetExceeded, match="Project chips has"):
        story.submit(spec(resources=dear, array=ArraySpec(expression="0-9")))
    assert stored_jobs(story) == 0
    assert story.vnd() == (100_000_000, 0, 0)


def test_another_tenant_cannot_tell_that_the_project_exists(story: Story) -> None:
    with pytest.raises(ProjectNotFound) as hidden:
        story.submit(spec(), actor=story.city.rivals.lead)
    with pytest.raises(ProjectNotFound) as missing:
        story.submit(spec(), actor=story.city.rivals.lead, project="nobody")
    assert str(hidden.value).replace("chips", "nobody") == str(missing.value)


def test_a_lost_answer_does_not_run_the_job_twice(story: Story) -> None:
    job_id = story.submit(spec())
    story.scheduler.scenario = SubmitScenario.LOSE_ANSWER
    story.step()
    waiting = story.job(job_id)
    assert (waiting.phase, waiting.state_reason) == (Phase.DISPATCHING, "SchedulerUnavailable")
    story.scheduler.scenario = SubmitScenario.ACCEPT
    story.scheduler.advance(5)
    story.step()
    assert story.job(job_id).phase is Phase.TRACKED
    assert story.scheduler.started == [(job_id, 0, 0)]


def test_a_lost_request_is_sent_again(story: Story) -> None:
    job_id = story.submit(spec())
    story.scheduler.scenario = SubmitScenario.LOSE_REQUEST
    story.step()
    story.scheduler.scenario = SubmitScenario.ACCEPT
    story.scheduler.advance(5)
    story.step()
    assert story.scheduler.started == [(job_id, 0, 0)]


def test_a_scheduler_that_is_away_gets_the_job_later(story: Story) -> None:
    job_id = story.submit(spec())
    story.scheduler.is_available = False
    assert asyncio.run(dispatch_once(story.context)) is False
    assert (story.job(job_id).phase, story.job(job_id).state_reason) == (
        Phase.ACCEPTED,
        "SchedulerUnavailable",
    )
    story.scheduler.is_available = True
    story.scheduler.advance(5)
    story.step()
    assert story.job(job_id).phase is Phase.TRACKED


def test_a_refused_job_gives_its_budget_back(story: Story) -> None:
    job_id = story.submit(spec())
    story.scheduler.scenario = SubmitScenario.REFUSE
    story.step()
    assert story.job(job_id).phase is Phase.REFUSED
    assert story.vnd() == (100_000_000, 0, 0)
    story.require_exact_ledger()


def test_cancel_before_dispatch_costs_nothing(story: Story) -> None:
    job_id = story.submit(spec())
    assert request_cancel(story.city.services, story.city.chips.member, [job_id]) == [job_id]
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.state, job.charged_vnd) == (Phase.SETTLED, JobState.CANCELLED, 0)
    assert story.scheduler.started == []
    assert story.vnd() == (100_000_000, 0, 0)


def test_cancel_while_running_charges_what_was_used(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-99%2")))
    story.step()
    story.scheduler.advance(100)
    request_cancel(story.city.services, story.city.chips.lead, [job_id])
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.state, job.tasks_cancelled) == (Phase.SETTLED, JobState.CANCELLED, 100)
    assert job.charged_vnd == 2 * 11
    assert story.vnd() == (100_000_000 - 22, 0, 22)
    story.require_exact_ledger()


def test_who_cancels_anothers_job_is_in_the_audit_log(story: Story) -> None:
    chips = story.city.chips
    own, others = story.submit(spec()), story.submit(spec())
    request_cancel(story.city.services, chips.member, [own])
    request_cancel(story.city.services, chips.lead, [others, own])
    with story.city.services.reading() as session:
        kept = [(deed.username, deed.action, deed.subject) for deed in list_audit(session, OPERATOR).items]
    assert kept == [(chips.lead.username, "job.cancel_requested", str(others))]


def test_a_member_cancels_only_their_own_jobs(story: Story) -> None:
    job_id = story.submit(spec(), actor=story.city.chips.lead)
    with pytest.raises(NotAllowed):
        request_cancel(story.city.services, story.city.chips.member, [job_id])
    assert story.job(job_id).cancel_requested_at is None


def test_a_failed_node_is_never_charged_and_the_job_runs_again(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(1000)
    story.scheduler.fail_node("n1")
    story.scheduler.restore_node("n1")
    story.step()
    assert story.job(job_id).phase is Phase.TRACKED
    assert [(run.attempt, run.state) for run in story.runs(job_id)][:1] == [(0, JobState.NODE_FAIL)]
    story.scheduler.advance(100)
    story.scheduler.finish(job_id)
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.state, job.charged_vnd) == (Phase.SETTLED, JobState.COMPLETED, 11)
    story.require_exact_ledger()


def test_timeout_is_called_timeout_and_charged(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(HOUR + 1)
    story.step()
    job = story.job(job_id)
    assert (job.state, job.charged_vnd) == (JobState.TIMEOUT, HELD_FOR_AN_HOUR)


def test_afterok_waits_and_then_runs(story: Story) -> None:
    first = story.submit(spec("build"))
    after = Dependency(kind=DependencyKind.AFTEROK, job_id=first)
    second = story.submit(spec("run", dependencies=(after,)))
    story.step()
    assert (story.job(second).phase, story.job(second).state_reason) == (Phase.ACCEPTED, "Dependency")
    story.scheduler.finish(first)
    story.step()
    assert story.job(second).phase is Phase.TRACKED


def test_afterok_of_a_failed_job_ends_without_running_or_cost(story: Story) -> None:
    first = story.submit(spec("build"))
    after = Dependency(kind=DependencyKind.AFTEROK, job_id=first)
    second = story.submit(spec("run", dependencies=(after,)))
    story.step()
    story.scheduler.finish(first, exit_code=1)
    story.step()
    job = story.job(second)
    assert (job.phase, job.state_reason) == (Phase.SETTLED, "DependencyNeverSatisfied")
    assert story.vnd()[1] == 0


def test_a_controller_without_its_lease_writes_nothing(story: Story) -> None:
    job_id = story.submit(spec())
    stale = story.context
    story.clock.advance(1_000_000)
    taken = transact(
        story.city.services.engine,
        lambda connection: leases.acquire(
            connection, stale.lease.name, holder="standby", now=story.clock.now(), seconds=60
        ),
    )
    assert taken
    with pytest.raises(LeaseLost):
        asyncio.run(dispatch_once(stale))
    assert story.job(job_id).phase is Phase.ACCEPTED
    assert story.scheduler.started == []


def test_the_estimate_is_what_is_held_and_writes_nothing(story: Story) -> None:
    request = SubmitRequest(project="chips", spec=spec(array=ArraySpec(expression="0-9")))
    estimate = estimate_job(story.city.services, story.city.chips.member, request)
    assert estimate.total_vnd == 10 * HELD_FOR_AN_HOUR
    assert estimate.available_after["VND"] == 100_000_000 - estimate.total_vnd
    assert estimate.expected_start.reason == "Free"
    assert estimate.obstacles == ()
    assert story.vnd() == (100_000_000, 0, 0)
    story.submit(request.spec or spec())
    assert story.vnd()[1] == estimate.total_vnd


def test_an_estimate_beyond_the_budget_says_so_instead_of_failing(story: Story) -> None:
    dear = ResourceRequest(gpus_per_node={"h100": 8}, walltime_seconds=7 * 86_400)
    request = SubmitRequest(project="chips", spec=spec(resources=dear, array=ArraySpec(expression="0-9")))
    estimate = estimate_job(story.city.services, story.city.chips.member, request)
    assert len(estimate.obstacles) == 1
    assert "Project chips has" in estimate.obstacles[0]


def test_events_tell_the_whole_story_in_order(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.finish(job_id)
    story.step()
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(
            select(col(JobEvent.sequence), col(JobEvent.kind))
            .where(col(JobEvent.job_id) == job_id)
            .order_by(col(JobEvent.sequence))
        ).all()
    kinds = [row.kind for row in rows]
    assert kinds == ["job.submitted", "job.dispatched", "job.state", "job.state", "job.settled"]


def test_a_job_that_the_ledger_refuses_to_settle_stops_nobody_else(story: Story) -> None:
    poisoned, healthy = story.submit(spec("poisoned")), story.submit(spec("healthy"))
    story.step()
    story.scheduler.advance(10)
    with story.city.services.engine.begin() as connection:
        connection.execute(
            update(QuotaHold).where(col(QuotaHold.job_id) == poisoned).values(partition="unpriced")
        )
        connection.execute(update(PriceItemRow).values(partition="main"))
    story.scheduler.finish(poisoned)
    story.scheduler.finish(healthy)
    story.step()
    assert story.job(healthy).phase is Phase.SETTLED
    assert story.job(poisoned).phase is Phase.ENDED
    with story.city.services.engine.begin() as connection:
        connection.execute(update(PriceItemRow).values(partition=""))
    story.step()
    assert story.job(poisoned).phase is Phase.SETTLED
    story.require_exact_ledger()


def test_a_commit_whose_answer_got_lost_makes_no_second_job(story: Story) -> None:
    services = story.city.services
    commits = services.commits

    class LosesTheAnswer:
        async def run_together(self, work: Together[Submission, SubmittedJob], piece: Submission) -> object:
            await commits.run_together(work, piece)
            return await commits.run_together(work, piece)

    forgetful = replace(services, commits=cast("GroupCommit", LosesTheAnswer()))
    request = SubmitRequest(project="chips", spec=spec())
    submitted = asyncio.run(submit_job(forgetful, story.city.chips.member, request))
    assert story.job(submitted.job_id).phase is Phase.ACCEPTED
    assert stored_jobs(story) == 1
    assert story.vnd() == (100_000_000 - HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR, 0)
    story.require_exact_ledger()
