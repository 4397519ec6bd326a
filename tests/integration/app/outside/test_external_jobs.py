"""Jobs submitted past the portal are found, shown and charged once, whatever order their records come in."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert
from sqlmodel import Session, col

from hpc_portal.app.errors import NotAllowed
from hpc_portal.app.external.claim import NO_PROJECT
from hpc_portal.app.external.unclaimed import list_unclaimed
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import (
    ClusterAccount,
    ExternalReader,
    ExternalUsage,
    GlobalRole,
    Job,
    JobEvent,
    JobTask,
    UnclaimedRun,
)
from quotas.tables import AccountingRecord
from quotas.verify import Rule
from schedulers.jobstate import JobState
from tests.integration.app.outside.conftest import AN, CLUSTER, Outside

FULL = 100_000_000


def portal_job(outside: Outside, **values: object) -> UUID:
    """A job that the portal submitted itself, dispatched as Slurm's 812."""
    chips, job_id = outside.city.chips, new_id()
    facts = {
        "id": job_id,
        "organisation_id": chips.organisation_id,
        "project_id": chips.project_id,
        "user_id": chips.member.user_id,
        "name": "own",
        "spec": {},
        "workspace": "x",
        "partition": "main",
        "phase": Phase.TRACKED,
        "state": JobState.RUNNING,
        "scheduler": CLUSTER,
        "scheduler_job_id": "812",
        "submitted_at": outside.clock.now(),
        "tasks_total": 1,
    }
    outside.execute(insert(Job).values(**{**facts, **values}))
    return job_id


def test_a_job_is_shown_while_it_waits_and_runs_and_charged_when_it_ended(outside: Outside) -> None:
    waiting = outside.run()
    outside.accounting.put(waiting)
    outside.find()
    (job,) = outside.jobs
    assert (job.is_external, job.phase, job.state) == (True, Phase.TRACKED, JobState.PENDING)
    assert (job.user_id, job.project_id) == (outside.city.chips.member.user_id, outside.city.chips.project_id)
    assert outside.tasks == []
    running = replace(waiting, state=JobState.RUNNING, started_at=outside.clock.now())
    outside.accounting.put(running)
    outside.find()
    assert (outside.jobs[0].state, outside.jobs[0].tasks_running) == (JobState.RUNNING, 1)
    assert outside.vnd() == (FULL, 0, 0)
    outside.accounting.put(outside.ended(waiting, seconds=100))
    outside.find()
    (job,) = outside.jobs
    assert (job.phase, job.state, job.tasks_completed) == (Phase.SETTLED, JobState.COMPLETED, 1)
    assert (job.charged_vnd, outside.vnd()) == (10, (FULL - 10, 0, 10))
    assert outside.discrepancies == []
    kinds = [event.kind for event in outside.rows(JobEvent)]
    assert kinds == ["job.submitted", "job.state", "job.state", "job.state", "job.settled"]


def test_reading_again_writes_nothing(outside: Outside) -> None:
    outside.accounting.put(outside.ended(outside.run(), seconds=100))
    outside.find()
    before = [outside.rows(table) for table in (Job, JobTask, JobEvent, AccountingRecord)]
    outside.find()
    outside.restart()
    outside.find()
    assert [outside.rows(table) for table in (Job, JobTask, JobEvent, AccountingRecord)] == before


def test_a_revised_record_is_corrected_by_a_new_entry(outside: Outside) -> None:
    run = outside.run()
    outside.accounting.put(outside.ended(run, seconds=100))
    outside.find()
    outside.accounting.put(outside.ended(run, seconds=300))
    outside.find()
    assert outside.vnd() == (FULL - 30, 0, 30)
    assert [record.revision for record in outside.rows(AccountingRecord)] == [0, 1]
    (job,), (task,) = outside.jobs, outside.tasks
    assert (job.charged_vnd, task.charged_vnd, task.elapsed_seconds) == (30, 30, 300)
    assert [event.kind for event in outside.rows(JobEvent)][-2:] == ["job.corrected", "job.settled"]
    assert outside.discrepancies == []


def test_the_end_of_a_job_that_was_thought_ended_may_change_its_state(outside: Outside) -> None:
    run = outside.run()
    outside.accounting.put(outside.ended(run, seconds=100))
    outside.find()
    outside.accounting.put(outside.ended(run, seconds=100, state=JobState.NODE_FAIL))
    outside.find()
    (job,) = outside.jobs
    assert (job.state, job.charged_vnd, outside.vnd()) == (JobState.NODE_FAIL, 0, (FULL, 0, 0))
    assert outside.discrepancies == []


def test_an_array_is_one_job_whose_tasks_are_charged_each(outside: Outside) -> None:
    at = outside.clock.now()

    def task(index: int) -> object:
        return outside.run("900", is_array=True, task_index=index, submitted_at=at)

    rest = outside.run("900", is_array=True, task_index=None, tasks=2, submitted_at=at)
    outside.accounting.put(outside.ended(task(0), seconds=100), rest)  # type: ignore[arg-type]
    outside.find()
    (job,) = outside.jobs
    assert (job.state, job.tasks_total, job.tasks_completed) == (JobState.RUNNING, 3, 1)
    del outside.accounting.records[rest.key, at]
    outside.accounting.put(
        outside.ended(task(1), seconds=50),  # type: ignore[arg-type]
        outside.ended(task(2), seconds=50, state=JobState.FAILED),  # type: ignore[arg-type]
    )
    outside.find()
    (job,) = outside.jobs
    assert (job.phase, job.state, job.tasks_total) == (Phase.SETTLED, JobState.FAILED, 3)
    assert (job.charged_vnd, [row.charged_vnd for row in outside.tasks]) == (20, [10, 5, 5])
    assert outside.discrepancies == []


def test_an_array_that_was_cancelled_before_it_started_costs_nothing(outside: Outside) -> None:
    rest = outside.run("900", is_array=True, task_index=None, tasks=5)
    outside.accounting.put(replace(rest, state=JobState.CANCELLED, ended_at=outside.clock.now()))
    outside.find()
    (job,) = outside.jobs
    assert (job.phase, job.state, job.tasks_cancelled) == (Phase.SETTLED, JobState.CANCELLED, 5)
    assert outside.vnd() == (FULL, 0, 0)


def test_a_requeued_job_is_charged_for_each_of_its_runs(outside: Outside) -> None:
    first = outside.ended(outside.run(), seconds=100, state=JobState.PREEMPTED)
    outside.accounting.put(replace(first, is_requeued=True))
    outside.find(after=timedelta(minutes=3))
    again = outside.run(submitted_at=first.ended_at)
    outside.accounting.put(outside.ended(again, seconds=50))
    outside.find(after=timedelta(minutes=3))
    assert [job.charged_vnd for job in outside.jobs] == [10, 5]
    assert {job.scheduler_job_id for job in outside.jobs} == {"812"}
    assert outside.discrepancies == []


def test_the_portals_own_jobs_are_never_taken_for_others(outside: Outside) -> None:
    own = portal_job(outside)
    run = outside.run(claims_job=own)
    outside.accounting.put(outside.ended(run, seconds=100))
    requeued = outside.run(claims_job=own, submitted_at=outside.clock.now() + timedelta(minutes=2))
    outside.accounting.put(outside.ended(requeued, seconds=10))
    outside.find(after=timedelta(minutes=5))
    assert [job.id for job in outside.jobs] == [own]
    assert outside.rows(AccountingRecord) == []


def test_the_portals_own_jobs_are_known_by_number_where_no_comments_are_kept(outside: Outside) -> None:
    own = portal_job(outside)
    outside.accounting.put(outside.ended(outside.run(), seconds=100))
    outside.find()
    assert [job.id for job in outside.jobs] == [own]


def test_a_job_on_its_way_is_not_charged_twice_while_its_number_is_unknown(outside: Outside) -> None:
    own = portal_job(outside, phase=Phase.DISPATCHING, scheduler_job_id=None)
    outside.accounting.put(outside.ended(outside.run(claims_job=own), seconds=100))
    outside.accounting.put(outside.ended(outside.run("813"), seconds=100))
    outside.find()
    assert len(outside.jobs) == 1
    assert len(outside.rows(UnclaimedRun)) == 2
    outside.set_job(own, phase=Phase.TRACKED, scheduler_job_id="812")
    outside.find(after=timedelta(days=1))
    assert sorted(job.scheduler_job_id for job in outside.jobs) == ["812", "813"]
    assert outside.rows(UnclaimedRun) == []
    assert outside.vnd() == (FULL - 10, 0, 10)


def test_a_job_from_outside_stays_one_while_another_is_on_its_way(outside: Outside) -> None:
    outside.accounting.put(outside.ended(outside.run(), seconds=100))
    outside.find()
    portal_job(outside, phase=Phase.DISPATCHING, scheduler_job_id=None)
    outside.find()
    assert outside.rows(UnclaimedRun) == []
    assert outside.jobs[0].phase is Phase.SETTLED


def test_naming_one_of_the_portals_jobs_does_not_make_a_job_free(outside: Outside) -> None:
    own = portal_job(outside)
    outside.accounting.put(outside.ended(outside.run("813", claims_job=own), seconds=100))
    outside.accounting.put(outside.ended(outside.run("814", claims_job=uuid4()), seconds=100))
    outside.find()
    assert outside.vnd() == (FULL - 20, 0, 20)


def test_a_number_that_slurm_gives_out_again_is_another_job(outside: Outside) -> None:
    portal_job(outside, phase=Phase.SETTLED, ended_at=outside.clock.now() + timedelta(minutes=1))
    outside.find(after=timedelta(days=30))
    outside.accounting.put(outside.ended(outside.run("812"), seconds=100))
    outside.find()
    assert outside.vnd() == (FULL - 10, 0, 10)


def test_what_ended_before_the_portal_looked_is_none_of_its_business(outside: Outside) -> None:
    old = outside.run(submitted_at=outside.clock.now() - timedelta(days=2))
    outside.accounting.put(outside.ended(old, seconds=100))
    outside.find(after=timedelta(hours=2))
    assert outside.jobs == []


def test_the_balance_may_go_below_zero_and_says_so(outside: Outside) -> None:
    outside.accounting.put(outside.ended(outside.run(allocated_tres={"cpu": 10**7}), seconds=1000))
    outside.find()
    assert outside.vnd()[0] < 0
    assert [found.rule for found in outside.discrepancies] == [Rule.WITHIN_OVERDRAFT]


def test_unknown_accounts_and_people_are_listed_and_charged_once_they_are_known(outside: Outside) -> None:
    outside.accounting.put(outside.ended(outside.run("1", account="physics"), seconds=100))
    outside.accounting.put(outside.ended(outside.run("2", cluster_user="chi"), seconds=100))
    outside.accounting.put(outside.ended(outside.run("3", allocated_tres={"license/foo": 1}), seconds=100))
    outside.find()
    assert outside.vnd() == (FULL, 0, 0)
    admin = replace(outside.city.chips.lead, global_role=GlobalRole.ADMINISTRATOR)
    with Session(outside.city.services.engine) as session:
        found = {
            group.cluster_user + "/" + group.account: group
            for group in list_unclaimed(session, admin, cluster=CLUSTER)
        }
        assert found["chi/chips"].tres_seconds == {"cpu": 100, "node": 100}
        assert found["binh/physics"].why == NO_PROJECT
        assert "no price for license/foo" in found["binh/chips"].why
        with pytest.raises(NotAllowed):
            list_unclaimed(session, outside.city.chips.lead, cluster=CLUSTER)
    outside.map_user(outside.city.rivals.lead.user_id, "chi")
    outside.find(after=timedelta(days=40))
    assert outside.vnd() == (FULL - 10, 0, 10)
    assert sorted(row.scheduler_job_id for row in outside.rows(UnclaimedRun)) == ["1", "3"]
    assert outside.discrepancies == []


def test_what_can_never_be_charged_keeps_nothing_else_from_being_charged(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpc_portal.app.external.unclaimed._MOST_TRIED_AGAIN", 1)
    for number in ("1", "2"):
        free = outside.run(number, allocated_tres={"license/foo": 1})
        outside.accounting.put(outside.ended(free, seconds=100))
    outside.find()
    outside.accounting.put(outside.ended(outside.run("3", cluster_user="chi"), seconds=100))
    outside.find()
    outside.find(after=timedelta(days=40))  # no window has it any more
    outside.map_user(outside.city.rivals.lead.user_id, "chi")
    for _ in range(100):  # by lot: it misses all of them once in 10^17 times
        if outside.vnd() == (FULL - 10, 0, 10):
            break
        outside.find(after=timedelta(days=40))
    assert outside.vnd() == (FULL - 10, 0, 10)


def test_the_cursor_survives_a_restart_and_an_absence_of_the_accounting(outside: Outside) -> None:
    outside.accounting.is_away = True
    outside.accounting.put(outside.ended(outside.run(), seconds=100))
    outside.find(after=timedelta(hours=20))
    assert outside.jobs == []
    outside.accounting.is_away = False
    outside.restart()
    outside.find()
    assert [job.charged_vnd for job in outside.jobs] == [10]
    assert all(end - start <= timedelta(hours=6) for start, end in outside.accounting.windows)
    (reader,) = outside.rows(ExternalReader)
    assert reader.read_until == outside.clock.now()


def test_windows_overlap_so_that_a_record_which_comes_late_is_seen(outside: Outside) -> None:
    late = outside.ended(outside.run(), seconds=5)
    outside.find(after=timedelta(minutes=5))
    outside.accounting.put(late)
    outside.find(after=timedelta(minutes=1))
    assert len(outside.jobs) == 1
    very_late = outside.ended(outside.run("900"), seconds=5)
    outside.find(after=timedelta(days=2))
    outside.accounting.put(very_late)
    outside.find(after=timedelta(hours=2))
    assert len(outside.jobs) == 2


def test_what_the_direct_qos_counted_is_kept_for_its_limit(outside: Outside) -> None:
    outside.reflect()
    default = outside.cluster.has.accounts["chips"].default_budget
    before = outside.cluster.has.budgets[default]
    outside.accounting.put(outside.ended(outside.run("1", qos=default), seconds=600))
    outside.accounting.put(outside.ended(outside.run("2", qos="normal"), seconds=600))
    outside.find(after=timedelta(minutes=11))
    usage = {row.asset: row.amount for row in outside.rows(ExternalUsage)}
    assert usage == {"cpu": 600, "node": 600}
    outside.reflect()
    # 60 đồng bought ten minutes of one CPU; the same again under the site's own QOS was paid for as well.
    after = outside.cluster.has.budgets[default]
    assert before.tres_minutes["cpu"] - after.tres_minutes["cpu"] == 10
    assert outside.discrepancies == []


def test_a_person_without_an_account_any_more_keeps_what_was_charged(outside: Outside) -> None:
    run = outside.run(cluster_user=AN)
    outside.accounting.put(outside.ended(run, seconds=100))
    outside.find()
    outside.execute(delete(ClusterAccount).where(col(ClusterAccount.cluster_user) == AN))
    outside.find()
    assert [job.charged_vnd for job in outside.jobs] == [10]
    assert outside.discrepancies == []
