"""How observations are cut into transactions, and which jobs are followed."""

from uuid import uuid4

from hpc_portal.app.jobs.context import Tracked
from hpc_portal.app.jobs.track import _MOST_RUNS, _chunks
from schedulers.jobstate import JobSnapshot, JobState, TaskSnapshot
from schedulers.protocol import JobRef


def snapshot(runs: int, *, is_closed: bool = True) -> JobSnapshot:
    tasks = tuple(TaskSnapshot(index, 0, JobState.RUNNING) for index in range(runs))
    return JobSnapshot("s", tasks=tasks, is_closed=is_closed)


def test_a_large_array_is_written_in_parts_of_which_only_the_last_closes_it() -> None:
    large, small = uuid4(), uuid4()
    whole = snapshot(100_000)
    chunks = _chunks({small: snapshot(1), large: whole})
    parts = [chunk[large] for chunk in chunks if large in chunk]
    assert max(len(part.tasks) for part in parts) == _MOST_RUNS
    assert tuple(task for part in parts for task in part.tasks) == whole.tasks
    assert [part.is_closed for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [chunk[small] for chunk in chunks if small in chunk] == [snapshot(1)]


def test_a_job_that_ended_before_it_was_asked_for_is_followed_no_more() -> None:
    tracked = Tracked()
    job = JobRef(uuid4(), "1")
    tracked.add({job.job_id: job})
    assert tracked.drop([job.job_id]) == [job]
    tracked.replace({})
    assert not tracked.jobs
    assert not tracked.has_fresh


def test_a_job_stays_to_be_asked_for_until_what_is_known_of_it_is_written() -> None:
    tracked = Tracked()
    first, second = JobRef(uuid4(), "1"), JobRef(uuid4(), "2")
    tracked.add({first.job_id: first})
    asked = tracked.fresh
    tracked.add({second.job_id: second})
    assert asked == {first.job_id}
    tracked.recorded(asked)
    assert tracked.fresh == {second.job_id}
