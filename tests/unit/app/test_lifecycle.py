"""What observations change about a job."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hpc_portal.app.jobs.lifecycle import KnownRun, Progress, RunId, apply, close
from schedulers.jobstate import ExitCode, JobSnapshot, JobState, StateFlag, TaskSnapshot

T0 = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
T1 = T0 + timedelta(seconds=60)
SINGLE = Progress(is_array=False, tasks_total=1)
RUNNING = KnownRun(is_running=True, has_ended=False)
OVER = KnownRun(is_running=False, has_ended=True)


def seen(*tasks: TaskSnapshot, reason: str = "", is_closed: bool = False) -> JobSnapshot:
    return JobSnapshot("7", pending_reason=reason, tasks=tasks, is_closed=is_closed)


def running(index: int = 0, attempt: int = 0) -> TaskSnapshot:
    return TaskSnapshot(index, attempt, JobState.RUNNING, started_at=T0, nodes=("n1",))


def ended(state: JobState, index: int = 0, attempt: int = 0, code: ExitCode | None = None) -> TaskSnapshot:
    return TaskSnapshot(index, attempt, state, exit_code=code, started_at=T0, ended_at=T1)


def test_a_started_job_is_running_since_its_first_start() -> None:
    change = apply(SINGLE, {}, seen(running()))
    assert (change.progress.state, change.progress.started_at) == (JobState.RUNNING, T0)
    assert change.progress.tasks_running == 1


def test_a_single_job_ends_with_its_own_state_and_exit_code() -> None:
    was_running = replace(SINGLE, state=JobState.RUNNING, tasks_running=1, started_at=T0)
    after = apply(was_running, {(0, 0): RUNNING}, seen(ended(JobState.FAILED, code=ExitCode(3)))).progress
    assert (after.state, after.exit_code, after.exit_signal) == (JobState.FAILED, 3, 0)
    assert (after.ended_at, after.tasks_running, after.tasks_failed) == (T1, 0, 1)


def test_timeout_and_out_of_memory_keep_their_names() -> None:
    for state in (JobState.TIMEOUT, JobState.OUT_OF_MEMORY, JobState.NODE_FAIL):
        assert apply(SINGLE, {}, seen(ended(state))).progress.state is state


def test_a_repeated_end_changes_nothing() -> None:
    first = apply(SINGLE, {}, seen(ended(JobState.COMPLETED, code=ExitCode()))).progress
    again = apply(first, {(0, 0): OVER}, seen(ended(JobState.FAILED, code=ExitCode(1))))
    assert again.runs == ()
    assert again.progress.tasks_completed == 1
    assert again.progress.tasks_failed == 0


def test_unknown_is_never_an_end() -> None:
    before = replace(SINGLE, state=JobState.RUNNING, tasks_running=1, started_at=T0)
    change = apply(before, {(0, 0): RUNNING}, seen(TaskSnapshot(0, 0, JobState.UNKNOWN)))
    assert change.runs == ()
    assert change.progress.ended_at is None
    assert change.progress.state is JobState.RUNNING


def test_a_completing_job_has_not_ended() -> None:
    completing = replace(ended(JobState.COMPLETED), flags=frozenset({StateFlag.COMPLETING}))
    assert apply(SINGLE, {}, seen(completing)).progress.ended_at is None


def test_a_requeued_run_does_not_end_the_job_and_is_pending_again() -> None:
    requeued = replace(ended(JobState.NODE_FAIL), flags=frozenset({StateFlag.REQUEUED}))
    before = replace(SINGLE, state=JobState.RUNNING, tasks_running=1, started_at=T0)
    change = apply(before, {(0, 0): RUNNING}, seen(requeued, reason="Requeued"))
    assert change.requeued == 1
    assert (change.progress.state, change.progress.state_reason) == (JobState.PENDING, "Requeued")
    assert change.progress.ended_at is None


def test_one_failed_task_fails_the_array_and_says_how_many() -> None:
    array = Progress(is_array=True, tasks_total=3)
    tasks = [
        ended(JobState.COMPLETED, 0),
        ended(JobState.FAILED, 1, code=ExitCode(2)),
        ended(JobState.COMPLETED, 2),
    ]
    after = apply(array, {}, seen(*tasks)).progress
    assert (after.state, after.state_reason, after.exit_code) == (JobState.FAILED, "1 of 3 tasks failed", 2)


def test_a_completed_array_has_exit_code_zero() -> None:
    array = Progress(is_array=True, tasks_total=2)
    after = apply(array, {}, seen(ended(JobState.COMPLETED, 0), ended(JobState.COMPLETED, 1))).progress
    assert (after.state, after.exit_code) == (JobState.COMPLETED, 0)


def test_tasks_never_started_count_as_cancelled_when_the_job_is_closed() -> None:
    after = close(Progress(is_array=True, tasks_total=10, tasks_completed=4), at=T1)
    assert (after.state, after.tasks_cancelled, after.ended_at) == (JobState.CANCELLED, 6, T1)


STATES = st.sampled_from(
    [JobState.RUNNING, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.UNKNOWN]
)


@given(st.lists(st.tuples(st.integers(0, 4), STATES), max_size=60))
def test_counters_add_up_whatever_the_order_and_repetition(stream: list[tuple[int, JobState]]) -> None:
    progress = Progress(is_array=True, tasks_total=5)
    known: dict[RunId, KnownRun] = {}
    for index, state in stream:
        task = running(index) if state is JobState.RUNNING else ended(state, index)
        change = apply(progress, known, seen(task))
        progress = change.progress
        for run in change.runs:
            known[run.task_index, run.attempt] = KnownRun(
                is_running=run.state is JobState.RUNNING, has_ended=run.has_ended
            )
    assert progress.tasks_running == sum(run.is_running for run in known.values())
    assert progress.tasks_ended == sum(run.has_ended for run in known.values())
    assert (progress.ended_at is not None) == (progress.tasks_ended == progress.tasks_total)
