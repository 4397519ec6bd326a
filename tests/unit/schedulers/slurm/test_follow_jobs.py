"""What is known of a job grows from two sources that may be late; nothing ends because it is missing."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobSnapshot, JobState, JobUsage, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef
from schedulers.slurm.follow_jobs import CANCELLED_SECONDS, HEARD_SECONDS, UNEXPLAINED_SECONDS, Book
from schedulers.slurm.read_jobs import Owner, PastRun, Record
from schedulers.slurm.read_states import read_state
from schedulers.slurm.spot_changes import News, States
from schedulers.slurm.wire import JobStateEntry

KEY = uuid4()
AN = Owner(KEY, "an")
JOB = JobRef(KEY, "812", "an")
NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)


def states(*lines: tuple[str, str, int]) -> States:
    """(job id, words, record number)"""
    return States(JobStateEntry(job_id, tuple(words.split()), number) for job_id, words, number in lines)


def run(index: int, attempt: int, state: JobState, *flags: StateFlag) -> TaskSnapshot:
    ended = NOW if state.is_terminal else None
    return TaskSnapshot(index, attempt, state, frozenset(flags), started_at=NOW, ended_at=ended)


def record(  # noqa: PLR0913 - facts of a record
    words: str, *, raw: int = 812, job: int = 812, index: int | None = 0, attempt: int = 0, reason: str = ""
) -> Record:
    state = read_state(words.split())
    started = index is not None and not state.waits and state.base is not JobState.UNKNOWN
    return Record(
        job_id=str(job),
        raw_id=str(raw),
        task_index=index,
        attempt=attempt,
        state=state,
        reason=reason,
        owner=AN,
        partition="short",
        run=run(index or 0, attempt, state.base, *state.flags) if started else None,
    )


def past(
    state: JobState,
    *flags: StateFlag,
    raw: int = 812,
    index: int | None = 0,
    attempt: int = 0,
    ended: bool = True,
) -> PastRun:
    usage = JobUsage(NOW, NOW + timedelta(seconds=9), 9, {"cpu": 1})
    snapshot = TaskSnapshot(index or 0, attempt, state, frozenset(flags), ended_at=NOW, usage=usage)
    return PastRun(
        "812", str(raw), AN, index, attempt, ended, is_certain=True, run=snapshot if ended else None
    )


class Following:
    """A book that follows job 812; time passes in `now`."""

    def __init__(self, *, is_sure: bool = False) -> None:
        self.book = Book()
        if is_sure:
            self.book.expect("812", AN)
        else:
            self.book.follow({"812": AN})
        self.now = 1000.0
        self.listed = states()

    def look(self, listed: States, *records: Record) -> News:
        self.listed = listed
        news = self.book.spot(["812"], listed)
        by_raw = {record.raw_id: record for record in records}
        for job_id in news.whole:
            self.book.take_whole(job_id, records, listed, now=self.now)
        changed = [by_raw[raw_id] for raw_id in news.records if raw_id in by_raw]
        self.book.take_records(changed, news, listed)
        return news

    def unclear(self) -> set[str]:
        return set(self.book.to_account(["812"], self.listed, now=self.now))

    def account(self, *runs: PastRun) -> None:
        wanted = self.book.to_account(["812"], self.listed, now=self.now)
        self.book.take_past(wanted or {"812": "812"}, runs, self.listed, now=self.now)

    def seen(self, since: int | None = None) -> JobSnapshot | None:
        return self.book.observe([JOB], since=since).jobs.get(KEY)

    def known(self) -> JobSnapshot:
        seen = self.seen()
        assert seen
        return seen


def ids(runs: Iterable[TaskSnapshot]) -> list[tuple[int, int, JobState]]:
    return [(task.task_index, task.attempt, task.state) for task in runs]


def test_what_is_listed_as_before_is_not_read_again() -> None:
    job = Following()
    assert job.look(states(("812", "RUNNING", 812)), record("RUNNING")).whole == {"812"}
    again = job.look(states(("812", "RUNNING", 812)))
    assert (again.whole, again.records, again.gone) == (set(), {}, {})


def test_only_what_changed_after_the_cursor_is_told() -> None:
    job = Following()
    job.look(states(("812", "PENDING", 812)), record("PENDING", reason="Resources"))
    assert job.known().pending_reason == "Resources"
    cursor = job.book.version
    assert job.seen(since=cursor) is None
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    changed = job.seen(since=cursor)
    assert changed
    assert (ids(changed.tasks), changed.pending_reason, changed.is_closed) == (
        [(0, 0, JobState.RUNNING)],
        "",
        True,
    )


def test_of_an_array_only_the_tasks_that_started_are_read() -> None:
    job = Following()
    rest = [(f"812_{index}", "PENDING", 812) for index in range(1000)]
    job.look(states(*rest), record("PENDING", index=None, reason="JobArrayTaskLimit"))
    assert (job.known().tasks, job.known().is_closed) == ((), False)
    started = [("812_0", "RUNNING", 815), *rest[1:]]
    news = job.look(states(*started), record("RUNNING", raw=815))
    assert (news.whole, news.records) == (set(), {"815": "812"})
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING)]
    assert job.known().pending_reason == "JobArrayTaskLimit"


def test_a_job_that_slurmctld_dropped_ends_only_when_slurmdbd_says_how() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    job.look(states())
    assert job.unclear() == {"812"}
    job.account(past(JobState.RUNNING, ended=False))
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING)]
    job.now += 100
    job.account(past(JobState.FAILED))
    assert ids(job.known().tasks) == [(0, 0, JobState.FAILED)]
    assert job.unclear() == set()


def test_slurmdbd_is_asked_ever_less_often_for_what_it_does_not_know() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    job.look(states())
    asked = 0
    for _ in range(600):
        job.now += 1
        if job.unclear():
            asked += 1
            job.account()
    assert 5 < asked < 20
    assert job.seen() is None
    assert job.book.observe([JOB], since=job.book.version).jobs == {}


def test_a_job_unknown_to_both_is_missing_not_ended() -> None:
    job = Following()
    job.look(states())
    job.account()
    assert job.seen() is None


def test_a_pending_job_cancelled_and_dropped_is_closed_without_a_run() -> None:
    job = Following()
    job.look(states(("812", "PENDING", 812)), record("PENDING"))
    job.look(states())
    cancelled = PastRun("812", "812", AN, 0, 0, has_ended=True, is_certain=True, run=None)
    job.account(cancelled)
    assert (job.known().tasks, job.known().is_closed) == ((), True)


def test_the_end_of_a_second_run_waits_for_that_of_the_first() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    job.look(states(("812", "COMPLETED", 812)), record("COMPLETED", attempt=1))
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING)]
    assert not job.known().is_closed
    assert job.unclear() == {"812"}
    job.account(past(JobState.NODE_FAIL, StateFlag.REQUEUED), past(JobState.COMPLETED, attempt=1))
    assert ids(job.known().tasks) == [(0, 0, JobState.NODE_FAIL), (0, 1, JobState.COMPLETED)]
    assert job.known().is_closed


def test_a_run_that_is_put_back_does_not_close_its_job() -> None:
    job = Following()
    job.look(states(("812", "FAILED REQUEUED", 812)), record("FAILED REQUEUED"))
    assert not job.known().is_closed
    job.look(states(("812", "PENDING", 812)), record("PENDING", attempt=1, reason="BeginTime"))
    assert (job.known().is_closed, job.known().pending_reason) == (False, "BeginTime")


def test_a_state_that_nobody_knows_is_no_end() -> None:
    job = Following()
    job.look(states(("812", "FROZEN", 812)), record("FROZEN"))
    assert (job.known().tasks, job.known().is_closed) == ((), False)


def test_tasks_that_vanish_from_the_rest_keep_the_array_open_until_they_are_explained() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.look(states(("812_0", "PENDING", 812)))
    assert job.unclear() == {"812"}
    job.account(past(JobState.PENDING, index=None, ended=False))
    job.look(states(("812_0", "COMPLETED", 812)), record("COMPLETED"))
    assert not job.known().is_closed
    job.now += UNEXPLAINED_SECONDS + 1
    job.account()
    assert job.known().is_closed
    assert ids(job.known().tasks) == [(0, 0, JobState.COMPLETED)]


def test_tasks_that_vanish_because_they_ran_unseen_are_read_from_slurmdbd() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.look(states(("812_0", "PENDING", 812)))
    job.account(past(JobState.FAILED, raw=820, index=1))
    assert ids(job.known().tasks) == [(1, 0, JobState.FAILED)]


def test_tasks_that_ran_unseen_while_slurmdbd_was_away_are_not_taken_for_cancelled() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.look(states(("812_0", "COMPLETED", 812)), record("COMPLETED"))
    job.now += 100 * UNEXPLAINED_SECONDS
    job.account()  # it is back, and has not heard of everything yet
    job.now += UNEXPLAINED_SECONDS - 1
    job.account()
    assert not job.known().is_closed
    job.account(past(JobState.FAILED, raw=820, index=1))
    assert ids(job.known().tasks) == [(0, 0, JobState.COMPLETED), (1, 0, JobState.FAILED)]
    assert job.known().is_closed


def test_a_rest_that_was_cancelled_explains_its_tasks_after_a_minute() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.look(states(("812_*", "CANCELLED", 812)), record("CANCELLED", index=None))
    job.account()
    assert not job.known().is_closed
    job.now += CANCELLED_SECONDS + 1
    job.account()
    assert (job.known().tasks, job.known().is_closed) == ((), True)


def test_an_array_cancelled_as_a_whole_is_closed_seconds_after_slurmdbd_has_heard_of_it() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.look(states(("812_*", "CANCELLED", 812)), record("CANCELLED", index=None))
    cancelled = PastRun("812", "812", AN, None, 0, has_ended=True, is_certain=True, run=None)
    job.account(cancelled)
    assert not job.known().is_closed  # what it sent at the same time may still come
    job.now += HEARD_SECONDS + 1
    job.account(cancelled)
    assert (job.known().tasks, job.known().is_closed) == ((), True)


def test_tasks_that_we_cancelled_end_as_cancelled_though_they_left_no_record() -> None:
    job = Following()
    rest = [("812_0", "PENDING", 812), ("812_1", "PENDING", 812)]
    job.look(states(*rest), record("PENDING", index=None))
    job.book.expect_cancelled(JOB, ArraySpec(expression="1"), at=NOW)
    job.look(states(("812_0", "PENDING", 812)))
    assert ids(job.known().tasks) == [(1, 0, JobState.CANCELLED)]
    assert job.unclear() == set()


def test_a_whole_rest_that_we_cancelled_before_it_was_ever_read_ends_as_cancelled() -> None:
    job = Following()
    job.book.expect_cancelled(JOB, ArraySpec(expression="2-3"), at=NOW)
    job.look(states(("812_*", "CANCELLED", 812)), record("CANCELLED", index=None))
    assert ids(job.known().tasks) == [(2, 0, JobState.CANCELLED), (3, 0, JobState.CANCELLED)]
    assert job.known().is_closed


def test_usage_comes_with_the_end_when_slurmdbd_knows_it_already() -> None:
    job = Following()
    job.look(states(("812", "COMPLETED", 812)), record("COMPLETED"))
    job.account(past(JobState.COMPLETED))
    (task,) = job.known().tasks
    assert task.usage
    assert task.usage.elapsed_seconds == 9


def test_an_end_that_was_told_is_not_told_again_for_its_usage() -> None:
    job = Following()
    job.look(states(("812", "COMPLETED", 812)), record("COMPLETED"))
    cursor = job.book.observe([JOB], since=None).cursor
    job.account(past(JobState.COMPLETED))
    assert job.seen(since=cursor) is None


def test_nor_when_slurmctld_has_dropped_it_while_other_tasks_are_asked_for() -> None:
    job = Following()
    listed = states(("812_0", "COMPLETED", 820), ("812_[1-3]", "PENDING", 812))
    job.look(listed, record("COMPLETED", raw=820), record("PENDING", index=None))
    cursor = job.book.observe([JOB], since=None).cursor
    job.look(states(("812_[2-3]", "PENDING", 812)), record("PENDING", index=None))
    job.account(past(JobState.COMPLETED, raw=820), past(JobState.FAILED, raw=821, index=1))
    told = job.seen(since=cursor)
    assert told
    assert ids(told.tasks) == [(1, 0, JobState.FAILED)]


def test_slurmctld_speaks_for_the_attempt_that_it_has() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    job.account(past(JobState.FAILED))
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING)]


def test_a_number_that_slurm_gave_to_another_job_tells_nothing_about_ours() -> None:
    job = Following()
    theirs = replace(record("COMPLETED"), owner=Owner(uuid4(), "binh"))
    for _ in range(2):
        job.look(states(("812", "COMPLETED", 812)), theirs)
        assert job.seen() is None
    assert job.unclear() == {"812"}  # slurmdbd may know what became of ours
    job.account(past(JobState.FAILED))
    assert (ids(job.known().tasks), job.known().is_closed) == ([(0, 0, JobState.FAILED)], True)


def test_a_running_job_whose_number_slurm_gave_to_another_is_lost_until_slurmdbd_tells_its_end() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    theirs = replace(record("PENDING"), owner=Owner(None, "an", "other", NOW + timedelta(days=1)))
    job.book.follow({"812": replace(AN, known_at=NOW)})
    job.look(states(("812", "PENDING", 812)), theirs)
    job.account(past(JobState.RUNNING, ended=False))
    assert job.seen() is None
    job.now += 60
    job.account(past(JobState.CANCELLED))
    assert (ids(job.known().tasks), job.known().is_closed) == ([(0, 0, JobState.CANCELLED)], True)


def test_an_attempt_before_the_one_that_runs_was_put_back_whatever_slurmdbd_knows_of_that() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING", attempt=1))
    job.account(past(JobState.NODE_FAIL))  # without a record of the next attempt, it looks like the last
    assert {task.attempt: task.flags for task in job.known().tasks} == {
        0: frozenset({StateFlag.REQUEUED}),
        1: frozenset(),
    }


def test_after_slurmctld_was_away_what_looks_as_before_is_read_again() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    job.book.doubt_all()
    theirs = replace(record("RUNNING"), owner=Owner(uuid4(), "binh"))
    assert job.look(states(("812", "RUNNING", 812)), theirs).whole == {"812"}
    assert job.unclear() == {"812"}
    job.book.doubt_all()
    assert job.look(states(("812", "RUNNING", 812))).whole == set()  # only slurmdbd can tell of it


def test_a_job_that_we_put_back_is_read_again_though_it_runs_as_before() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    assert job.look(states(("812", "RUNNING", 812)), record("RUNNING", attempt=1)).whole == set()
    job.book.doubt(JOB)
    job.look(states(("812", "RUNNING", 812)), record("RUNNING", attempt=1))
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING), (0, 1, JobState.RUNNING)]


def test_a_running_job_is_read_again_now_and_then() -> None:
    job = Following()
    job.look(states(("812", "RUNNING", 812)), record("RUNNING"))
    assert job.book.stale(["812"], now=job.now + 100, after_seconds=10, most=16) == []
    assert job.book.stale(["812"], now=job.now + 1000, after_seconds=10, most=16) == ["812"]


def test_a_job_whose_user_changes_its_comment_goes_on_being_followed() -> None:
    job = Following()
    other = uuid4()
    first = replace(record("RUNNING"), owner=Owner(KEY, "an", "sim", NOW))
    job.look(states(("812", "RUNNING", 812)), first)
    changed = replace(record("COMPLETED"), owner=Owner(other, "an", "sim", NOW))
    job.look(states(("812", "COMPLETED", 812)), changed)
    assert ids(job.known().tasks) == [(0, 0, JobState.COMPLETED)]
    reused = Owner(other, "an", "sim", NOW + timedelta(days=1))
    owner = job.book.owner_of(JOB)
    assert (owner.key, owner.may_be(reused)) == (KEY, False)


def test_reasons_are_read_again_a_few_at_a_time_those_not_read_for_longest_first() -> None:
    book = Book()
    jobs = [str(number) for number in range(100)]
    book.follow({job_id: Owner(uuid4(), "an") for job_id in jobs})
    for place, job_id in enumerate(jobs):
        listed = states((job_id, "PENDING", int(job_id)))
        waiting = replace(
            record("PENDING", raw=int(job_id), job=int(job_id)), owner=book.owners_of([job_id])[job_id]
        )
        book.take_whole(job_id, [waiting], listed, now=float(place))
    assert book.stale(jobs, now=60.0, after_seconds=10.0, most=3) == ["0", "1", "2"]
    assert book.stale(jobs, now=10.5, after_seconds=10.0, most=16) == ["0"]


def test_a_job_of_ours_that_only_waits_is_not_read_before_its_turn() -> None:
    job = Following(is_sure=True)
    assert job.look(states(("812", "PENDING", 812))).whole == set()
    assert (job.known().tasks, job.known().is_closed) == ((), False)
    assert job.book.stale(["812"], now=job.now, after_seconds=10, most=16) == ["812"]
    assert job.look(states(("812", "RUNNING", 812)), record("RUNNING")).whole == {"812"}
    assert ids(job.known().tasks) == [(0, 0, JobState.RUNNING)]


def test_a_job_of_ours_that_was_put_back_before_it_was_read_lacks_its_first_run() -> None:
    job = Following(is_sure=True)
    job.look(states(("812", "PENDING", 812)))
    job.look(states(("812", "RUNNING", 812)), record("RUNNING", attempt=1))
    assert job.unclear() == {"812"}
    job.account(past(JobState.NODE_FAIL, StateFlag.REQUEUED))
    assert sorted(ids(job.known().tasks)) == [(0, 0, JobState.NODE_FAIL), (0, 1, JobState.RUNNING)]
