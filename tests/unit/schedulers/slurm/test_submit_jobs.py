"""Jobs are handed to Slurm once, whatever becomes of the answers."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from schedulers.errors import SchedulerRefused, SchedulerUnavailable, SubmitUncertain
from schedulers.jobspec import JobSpec
from schedulers.protocol import Accepted, Refused, Submission, Uncertain
from schedulers.slurm.backend import UNREADABLE, SlurmScheduler
from schedulers.slurm.client import SlurmClient, SubmittedJob
from schedulers.slurm.find_jobs import find_jobs
from schedulers.slurm.submit_jobs import Submitter
from schedulers.slurm.translate import comment_of
from schedulers.slurm.versions import Record
from schedulers.slurm.wire import SlurmJob
from schedulers.slurm.wire_accounting import AccountedJob

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Slurm:
    """A slurmrestd that keeps what it is given, and fails on the names that a test chooses."""

    def __init__(self) -> None:
        self.jobs_there: list[SlurmJob] = []
        self.accounted: list[AccountedJob] = []
        self.unreadable: list[Record] = []
        self.cancelled: list[str] = []
        self.windows: list[tuple[datetime, datetime]] = []
        self.calls: Counter[str] = Counter()
        self.problems: dict[str, Exception] = {}
        self.lost_answers: set[str] = set()
        self.traces: dict[str, str | None] = {}
        self.nobody: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.is_accounting_up = True
        self.look_problem: Exception | None = None
        self.cancel_problem: Exception | None = None

    async def submit(
        self, job: Mapping[str, object], *, user: str, traceparent: str | None = None
    ) -> SubmittedJob:
        name = str(job["name"])
        self.traces[name] = traceparent
        self.calls["submit"] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if name in self.problems:
            raise self.problems[name]
        number = len(self.jobs_there) + 1
        owner = "nobody" if user in self.nobody else user
        self.jobs_there.append(slurm_job(number, str(job["comment"]), owner))
        if name in self.lost_answers:
            raise SubmitUncertain("the connection broke")
        return SubmittedJob(number)

    async def job(self, job_id: str) -> list[SlurmJob]:
        self.calls["job"] += 1
        if self.look_problem:
            raise self.look_problem
        return [job for job in self.jobs_there if str(job.job_id) == job_id]

    async def job_marks(self) -> tuple[list[SlurmJob], list[Record]]:
        self.calls["jobs"] += 1
        return self.jobs_there, self.unreadable

    async def accounted_marks(
        self, *, start: datetime, end: datetime
    ) -> tuple[list[AccountedJob], list[Record]]:
        if not self.is_accounting_up:
            raise SchedulerUnavailable("slurmdbd is down")
        self.windows.append((start, end))
        return [job for job in self.accounted if job.time.start and start <= job.time.start < end], []

    async def cancel(self, job_ids: Sequence[str], *, user: str | None) -> None:
        self.calls[f"cancel as {user}"] += 1
        if self.cancel_problem:
            raise self.cancel_problem
        self.cancelled += job_ids

    def as_client(self) -> SlurmClient:
        return cast("SlurmClient", self)


def slurm_job(number: int, comment: str, user: str = "an") -> SlurmJob:
    return SlurmJob(job_id=number, comment=comment, user_name=user)


def submission(name: str = "sim", *, user: str = "an") -> Submission:
    return Submission(
        job_id=uuid4(),
        spec=JobSpec(name=name, argv=("true",), partition="short"),
        cluster_user=user,
        organisation="uni",
        project="lab",
        workspace="/work/job",
        submitted_at=datetime.now(UTC),
    )


async def test_a_burst_goes_out_several_at_once_and_no_more_than_allowed() -> None:
    slurm = Slurm()
    submitter = Submitter(slurm.as_client(), at_once=4)
    await submitter.submit([submission()])
    jobs = [submission() for _ in range(40)]
    outcomes = await submitter.submit(jobs)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert slurm.most_at_once == 4
    by_key = {job.comment: str(job.job_id) for job in slurm.jobs_there}
    assert outcomes == [Accepted(by_key[comment_of(job.job_id)]) for job in jobs]


async def test_nothing_is_looked_up_for_new_jobs_but_the_first_of_each_user() -> None:
    slurm = Slurm()
    submitter = Submitter(slurm.as_client())
    await submitter.submit([submission(user=user) for user in ("an", "binh") for _ in range(20)])
    assert slurm.calls == {"submit": 40, "job": 2}


async def test_a_job_that_slurm_took_for_another_user_is_cancelled_and_refused() -> None:
    slurm = Slurm()
    slurm.nobody = {"ghost"}
    outcomes = await Submitter(slurm.as_client()).submit([submission(user="ghost"), submission(user="an")])
    assert isinstance(outcomes[0], Refused)
    assert "does not know that user" in outcomes[0].reason
    assert isinstance(outcomes[1], Accepted)
    assert slurm.cancelled == [str(job.job_id) for job in slurm.jobs_there if job.user_name == "nobody"]


@pytest.mark.parametrize("problem", [SchedulerRefused("Access denied"), SchedulerUnavailable("down")])
async def test_a_job_that_slurm_took_is_neither_refused_nor_sent_again_when_the_check_fails(
    problem: Exception,
) -> None:
    slurm = Slurm()
    slurm.look_problem = problem
    submitter = Submitter(slurm.as_client())
    job = submission()
    assert await submitter.submit([job]) == [Accepted("1")]
    slurm.look_problem, slurm.cancel_problem, slurm.nobody = None, problem, {"ghost"}
    stray = submission(user="ghost")
    assert await submitter.submit([stray]) == [Accepted("2")]
    assert await submitter.submit([job, stray]) == [Accepted("1"), Accepted("2")]
    assert slurm.calls["submit"] == 2
    assert not submitter.never_sent


async def test_a_controller_that_slept_sends_nothing_more() -> None:
    slurm = Slurm()
    submitter = Submitter(slurm.as_client(), send_seconds=-1.0)
    job = submission()
    with pytest.raises(SchedulerUnavailable, match="next ones"):
        await submitter.submit([job])
    assert slurm.calls["submit"] == 0
    assert submitter.never_sent == {job.job_id}


async def test_a_no_names_what_was_asked_for() -> None:
    slurm = Slurm()
    slurm.problems["sim"] = SchedulerRefused("Invalid account")
    (outcome,) = await Submitter(slurm.as_client()).submit([submission()])
    assert outcome == Refused("Invalid account (partition short, account lab, user an)")


async def test_when_nothing_could_be_sent_all_may_be_sent_again() -> None:
    slurm = Slurm()
    slurm.problems["sim"] = SchedulerUnavailable("down")
    with pytest.raises(SchedulerUnavailable):
        await Submitter(slurm.as_client()).submit([submission(), submission()])


async def test_when_some_were_sent_the_others_are_looked_for_first() -> None:
    slurm = Slurm()
    slurm.problems["unlucky"] = SchedulerUnavailable("down")
    backend = SlurmScheduler("danang", slurm.as_client())
    lucky, unlucky = submission(), submission("unlucky")
    assert await backend.submit([lucky, unlucky]) == [Accepted("1"), Uncertain("down")]
    assert await backend.find({unlucky.job_id: "an"}) == {}
    assert slurm.calls["jobs"] == 0  # this backend knows that it sent nothing
    del slurm.problems["unlucky"]
    assert await backend.submit([unlucky]) == [Accepted("2")]


async def test_a_request_without_an_answer_is_not_repeated_while_it_may_still_arrive() -> None:
    slurm = Slurm()
    slurm.problems["sim"] = SubmitUncertain("timeout")
    backend = SlurmScheduler("danang", slurm.as_client(), quiet_seconds=1e9)
    job = submission()
    assert await backend.submit([job]) == [Uncertain("timeout")]
    slurm.problems.clear()
    (again,) = await backend.submit([job])
    assert isinstance(again, Uncertain)
    found = await backend.find({job.job_id: "an"})
    assert isinstance(found[job.job_id], Uncertain)
    assert slurm.calls["submit"] == 1
    backend._submitter._quiet_seconds = 0.0
    assert await backend.submit([job]) == [Accepted("1")]
    assert slurm.calls["submit"] == 2


async def test_a_request_that_was_given_up_may_still_arrive() -> None:
    slurm = Slurm()
    submitter = Submitter(slurm.as_client(), quiet_seconds=1000)
    job = submission()
    sending = asyncio.create_task(submitter.submit([job]))
    while not slurm.calls["submit"]:  # noqa: ASYNC110 - a counter
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert submitter.may_still_come({job.job_id})
    assert isinstance((await submitter.submit([job]))[0], Uncertain)
    assert slurm.calls["submit"] == 1


async def test_a_job_whose_answer_got_lost_is_missed_twice_before_anybody_says_that_it_is_not_there() -> None:
    slurm = Slurm()
    slurm.problems["sim"] = SubmitUncertain("timeout")
    backend = SlurmScheduler("danang", slurm.as_client(), quiet_seconds=0.0)
    taken, lost = submission(), submission()
    users = {taken.job_id: "an", lost.job_id: "an"}
    await backend.submit([taken, lost])
    found = await backend.find(users)
    assert [isinstance(one, Uncertain) for one in found.values()] == [True, True]
    slurm.jobs_there.append(slurm_job(1, comment_of(taken.job_id)))  # slurmctld took its time
    assert await backend.find(users) == {taken.job_id: Accepted("1")}
    slurm.problems.clear()
    assert await backend.submit([lost]) == [Accepted("2")]


async def test_what_the_controller_before_was_sending_is_not_sent_again_while_it_may_still_come() -> None:
    slurm = Slurm()
    backend = SlurmScheduler("danang", slurm.as_client(), quiet_seconds=0.0, late_seconds=1e9)
    job = submission()
    for _ in "ab":
        found = await backend.find({job.job_id: "an"})
        assert isinstance(found[job.job_id], Uncertain)
    slurm.jobs_there.append(slurm_job(1, comment_of(job.job_id)))
    assert await backend.find({job.job_id: "an"}) == {job.job_id: Accepted("1")}
    fresh = submission()
    assert await backend.submit([fresh]) == [Accepted("2")]  # what only we have had waits for nobody


async def test_what_the_controller_before_never_sent_is_sent_when_it_cannot_come_any_more() -> None:
    slurm = Slurm()
    backend = SlurmScheduler("danang", slurm.as_client(), quiet_seconds=0.0, late_seconds=0.0)
    job = submission()
    found = await backend.find({job.job_id: "an"})
    assert isinstance(found[job.job_id], Uncertain)
    assert await backend.find({job.job_id: "an"}) == {}
    assert await backend.submit([job]) == [Accepted("1")]


async def test_a_job_whose_answer_got_lost_is_found_by_its_key() -> None:
    slurm = Slurm()
    slurm.lost_answers = {"sim"}
    backend = SlurmScheduler("danang", slurm.as_client())
    job = submission()
    assert await backend.submit([job]) == [Uncertain("the connection broke")]
    assert await backend.find({job.job_id: "an"}) == {job.job_id: Accepted("1")}
    assert await backend.submit([job]) == [Accepted("1")]
    assert len(slurm.jobs_there) == 1


async def test_a_job_that_is_there_twice_runs_once() -> None:
    slurm = Slurm()
    job = submission()
    slurm.jobs_there = [slurm_job(number, comment_of(job.job_id)) for number in (9, 7)]
    backend = SlurmScheduler("danang", slurm.as_client())
    assert await backend.find({job.job_id: "an"}) == {job.job_id: Accepted("7")}
    assert slurm.cancelled == ["9"]


async def test_a_job_of_another_user_with_our_key_is_not_taken_nor_cancelled_and_holds_nothing_up() -> None:
    slurm = Slurm()
    ours, forged = submission(), submission()
    slurm.jobs_there = [
        slurm_job(3, comment_of(ours.job_id), "mallory"),
        slurm_job(7, comment_of(ours.job_id)),
        slurm_job(2, comment_of(forged.job_id), "mallory"),
    ]
    backend = SlurmScheduler("danang", slurm.as_client(), late_seconds=None)
    users = {ours.job_id: "an", forged.job_id: "an"}
    with capture_logs() as logs:
        assert await backend.find(users) == {ours.job_id: Accepted("7")}
        assert await backend.find(users) == {ours.job_id: Accepted("7")}
    assert [log["event"] for log in logs].count("slurm.key_of_another_user") == 2  # one for each job
    assert await backend.submit([forged]) == [Accepted("4")]
    assert slurm.cancelled == []


async def test_a_record_that_cannot_be_read_leaves_only_its_own_job_in_doubt() -> None:
    slurm = Slurm()
    unreadable, known, missing = submission(), submission(), submission()
    slurm.jobs_there = [slurm_job(7, comment_of(known.job_id))]
    slurm.unreadable = [{"job_id": 8, "comment": {"text": comment_of(unreadable.job_id)}}]
    backend = SlurmScheduler("danang", slurm.as_client(), late_seconds=None)
    found = await backend.find(dict.fromkeys([unreadable.job_id, known.job_id, missing.job_id], "an"))
    assert found == {known.job_id: Accepted("7"), unreadable.job_id: Uncertain(UNREADABLE)}


async def test_a_job_that_ended_is_found_in_slurmdbd_behind_another_users_with_its_key() -> None:
    slurm = Slurm()
    job = submission()
    slurm.jobs_there = [slurm_job(9, comment_of(job.job_id), "mallory")]
    started = {"start": int(datetime.now(UTC).timestamp()) - 3600}
    past = {"job_id": 5, "user": "an", "comment": {"job": comment_of(job.job_id)}, "time": started}
    slurm.accounted = [AccountedJob.model_validate(past)]
    backend = SlurmScheduler("danang", slurm.as_client())
    assert await backend.find({job.job_id: "an"}) == {job.job_id: Accepted("5")}


async def test_nobody_says_that_a_job_is_not_there_while_slurmdbd_is_down() -> None:
    slurm = Slurm()
    slurm.is_accounting_up = False
    with pytest.raises(SchedulerUnavailable):
        await find_jobs(slurm.as_client(), {uuid4(): "an"}, lookback=timedelta(days=1))


def time_ordered(at: datetime) -> UUID:
    """A version 7 UUID, as the portal makes them."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 5)


async def test_slurmdbd_is_asked_no_further_back_than_the_job_is_old() -> None:
    slurm = Slurm()
    now = datetime.now(UTC)
    job_id = time_ordered(now - timedelta(hours=20))
    await find_jobs(slurm.as_client(), {job_id: "an"}, lookback=timedelta(days=30))
    oldest = min(start for start, _ in slurm.windows)
    assert timedelta(hours=20) < now - oldest < timedelta(hours=22)
    assert all(end - start <= timedelta(hours=12) for start, end in slurm.windows)
    slurm.windows.clear()
    await find_jobs(slurm.as_client(), {uuid4(): "an"}, lookback=timedelta(days=2))
    assert timedelta(hours=47) < now - min(start for start, _ in slurm.windows) < timedelta(hours=50)


async def test_a_job_that_left_slurmctlds_memory_is_found_in_slurmdbd() -> None:
    slurm = Slurm()
    by_comment, by_folder, theirs = uuid4(), uuid4(), uuid4()
    started = {"start": int(datetime.now(UTC).timestamp()) - 3600}
    facts = [
        {"job_id": 5, "user": "an", "comment": {"job": comment_of(by_comment)}},
        {"job_id": 6, "user": "an", "working_directory": f"/work/uni/lab/an/{by_folder}/run"},
        {"job_id": 7, "user": "an", "working_directory": f"/work/{theirs}", "comment": {"job": "by hand"}},
        {"job_id": 9, "user": "an", "comment": {"job": comment_of(by_comment)}, "array": {"job_id": 5}},
    ]
    slurm.accounted = [AccountedJob.model_validate({**one, "time": started}) for one in facts]
    users = dict.fromkeys([by_comment, by_folder, theirs], "an")
    found = await find_jobs(slurm.as_client(), users, lookback=timedelta(days=2))
    assert found.ours == {by_comment: ["5"], by_folder: ["6"]}


async def test_each_job_goes_out_in_its_own_trace() -> None:
    slurm = Slurm()
    jobs = [replace(submission(name), traceparent=f"of {name}") for name in ("one", "two")]
    await Submitter(slurm.as_client()).submit([*jobs, submission("untraced")])
    assert slurm.traces == {"one": "of one", "two": "of two", "untraced": None}


async def test_a_repeat_of_a_job_within_one_batch_is_the_same_job() -> None:
    slurm = Slurm()
    job = submission()
    twice = replace(job)
    assert await Submitter(slurm.as_client()).submit([job, twice]) == [Accepted("1"), Accepted("1")]
    assert slurm.calls["submit"] == 1
