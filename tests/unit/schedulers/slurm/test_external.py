"""Records of slurmdbd as runs, whoever submitted them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schedulers.jobstate import JobState
from schedulers.slurm.external import read_external
from schedulers.slurm.wire_accounting import AccountedJob

START = 1_764_129_600
JOB = UUID(int=5)


def record(**facts: Any) -> AccountedJob:  # noqa: ANN401 - fields of a record
    usual: dict[str, Any] = {
        "job_id": 812,
        "name": "corner",
        "user": "alice",
        "account": "chips",
        "partition": "gpu",
        "qos": "chips_1_direct",
        "state": {"current": ["COMPLETED"], "reason": "None"},
        "time": {
            "submission": START - 60,
            "start": START,
            "end": START + 90,
            "elapsed": 90,
            "limit": {"set": True, "infinite": False, "number": 30},
        },
        "tres": {
            "allocated": [
                {"type": "cpu", "name": "", "count": 4},
                {"type": "gres", "name": "gpu:h100", "count": 2},
                {"type": "billing", "name": "", "count": 4},
            ]
        },
    }
    return AccountedJob.model_validate({**usual, **facts})


def test_a_run_that_ended_carries_what_it_used() -> None:
    run = read_external(record())
    assert run is not None
    assert (run.key, run.task_index, run.is_array, run.state) == ("812", 0, False, JobState.COMPLETED)
    assert (run.elapsed_seconds, run.walltime_seconds, run.qos) == (90, 1800, "chips_1_direct")
    assert run.allocated_tres == {"cpu": 4, "gres/gpu:h100": 2, "gres/gpu": 2}
    assert run.ended_at == datetime.fromtimestamp(START + 90, UTC)


def test_a_run_under_way_has_no_end() -> None:
    time = {"submission": START - 60, "start": START, "end": 0, "elapsed": 10}
    run = read_external(record(state={"current": ["RUNNING"], "reason": ""}, time=time))
    assert run is not None
    assert (run.state, run.ended_at, run.elapsed_seconds) == (JobState.RUNNING, None, 0)
    assert run.started_at == datetime.fromtimestamp(START, UTC)


def test_tasks_of_an_array_and_the_rest_of_it_are_told_apart() -> None:
    task = read_external(record(job_id=815, array={"job_id": 812, "task_id": {"set": True, "number": 3}}))
    assert task is not None
    assert (task.key, task.scheduler_job_id, task.tasks) == ("812_3", "812", 1)
    rest = read_external(
        record(
            array={"job_id": 812, "task_id": {"set": False, "number": 0}, "task": "4-9%2"},
            state={"current": ["PENDING"], "reason": "Resources"},
            time={"submission": START - 60},
        )
    )
    assert rest is not None
    assert (rest.key, rest.task_index, rest.tasks, rest.state) == ("812_*", None, 6, JobState.PENDING)


def test_what_was_cancelled_before_it_started_has_ended_and_used_nothing() -> None:
    time = {"submission": START - 60, "end": START}
    run = read_external(record(state={"current": ["CANCELLED"], "reason": ""}, time=time, tres={}))
    assert run is not None
    assert (run.state, run.started_at, run.elapsed_seconds) == (JobState.CANCELLED, None, 0)
    assert run.ended_at == datetime.fromtimestamp(START, UTC)


def test_a_comment_may_name_one_of_the_portals_jobs() -> None:
    named = read_external(record(comment=f"hpc-portal:{JOB}"))
    other = read_external(record(comment="tape-out"))
    assert named is not None
    assert other is not None
    assert (named.claims_job, other.claims_job) == (JOB, None)


def test_a_record_without_a_time_of_submission_is_no_run() -> None:
    assert read_external(record(time={})) is None
