"""Which changes make sense for which jobs, and whose they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hpc_portal.app.jobs.check_change import JobNow, needs_administrator, objection
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import HeldBy
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.protocol import (
    CancelTasks,
    HoldJob,
    JobChange,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SPEC = JobSpec(name="sim", argv=("true",), partition="main", resources=ResourceRequest(walltime_seconds=3600))
WAITING = JobNow(
    SPEC, Phase.TRACKED, is_being_cancelled=False, held_by=None, tasks_waiting=1, tasks_running=0
)
RUNNING = replace(WAITING, tasks_waiting=0, tasks_running=1, running_since=NOW - timedelta(minutes=10))
ARRAY = replace(WAITING, spec=SPEC.model_copy(update={"array": ArraySpec(expression="0-9")}))
HELD = replace(WAITING, held_by=HeldBy.USER)
BY_ADMINISTRATOR = replace(WAITING, held_by=HeldBy.ADMINISTRATOR)


@pytest.mark.parametrize(
    ("job", "change"),
    [
        (WAITING, HoldJob()),
        (HELD, HoldJob(by_administrator=True)),
        (HELD, ReleaseJob()),
        (RUNNING, RequeueJob()),
        (RUNNING, SetWalltime(601)),
        (WAITING, SetWalltime(60)),
        (replace(RUNNING, partition_most_seconds=7200), SetWalltime(7200)),
        (WAITING, SetNice(5)),
        (ARRAY, CancelTasks(ArraySpec(expression="3-7"))),
    ],
)
def test_nothing_is_in_the_way_of_a_change_that_makes_sense(job: JobNow, change: JobChange) -> None:
    assert objection(job, change, now=NOW) is None


@pytest.mark.parametrize(
    ("job", "change", "words"),
    [
        (replace(WAITING, phase=Phase.ENDED), HoldJob(), "over"),
        (replace(WAITING, phase=Phase.REFUSED), SetNice(1), "over"),
        (replace(WAITING, is_being_cancelled=True), HoldJob(), "being cancelled"),
        (replace(WAITING, is_external=True), HoldJob(), "past the portal"),
        (RUNNING, HoldJob(), "Nothing of the job waits"),
        (HELD, HoldJob(), "held already"),
        (BY_ADMINISTRATOR, HoldJob(by_administrator=True), "held already"),
        (WAITING, ReleaseJob(), "not held"),
        (WAITING, RequeueJob(), "Nothing of the job runs"),
        (WAITING, SetWalltime(3600), "this time limit already"),
        (RUNNING, SetWalltime(600), "has run for 00:10:00"),
        (replace(WAITING, partition_most_seconds=7200), SetWalltime(7201), "main allows 02:00:00"),
        (RUNNING, SetNice(1), "has started"),
        (WAITING, CancelTasks(ArraySpec(expression="0")), "no array"),
        (ARRAY, CancelTasks(ArraySpec(expression="8-12")), "no task 10"),
    ],
)
def test_a_change_that_makes_none_is_objected_to_in_words(job: JobNow, change: JobChange, words: str) -> None:
    problem = objection(job, change, now=NOW)
    assert problem
    assert words in problem.message


@pytest.mark.parametrize(
    ("job", "change", "expected"),
    [
        (WAITING, HoldJob(), False),
        (WAITING, HoldJob(by_administrator=True), True),
        (HELD, ReleaseJob(), False),
        (BY_ADMINISTRATOR, ReleaseJob(), True),
        (WAITING, SetNice(0), False),
        (WAITING, SetNice(-1), True),
        (WAITING, SetWalltime(9), False),
    ],
)
def test_what_only_administrators_may_do(job: JobNow, change: JobChange, *, expected: bool) -> None:
    assert needs_administrator(job, change) is expected
