"""The memory scheduler's hands: what tests of the portal rely on."""

import asyncio
from uuid import UUID, uuid4

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import ArraySpec, JobSpec, RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState, StateFlag
from schedulers.memory import MemoryScheduler, SubmitScenario
from schedulers.protocol import Accepted, JobRef, Refused, Submission, SubmitOutcome, Uncertain


def submit(memory: MemoryScheduler, **facts: object) -> tuple[UUID, SubmitOutcome]:
    asked = ResourceRequest(walltime_seconds=60)
    spec = JobSpec.model_validate({"name": "job", "argv": ("true",), "resources": asked, **facts})
    job_id = uuid4()
    submission = Submission(job_id, spec, "an", "uni", "lab", "/work", memory.clock.now())
    (outcome,) = asyncio.run(memory.submit([submission]))
    return job_id, outcome


def states(memory: MemoryScheduler, job_id: UUID) -> list[str]:
    found = asyncio.run(memory.find({job_id: "an"}))[job_id]
    assert isinstance(found, Accepted)
    job = JobRef(job_id, found.scheduler_job_id)
    snapshot = asyncio.run(memory.observe({job_id: job})).jobs[job_id]
    return [str(task.state) for task in snapshot.tasks]


def test_nothing_ends_until_the_test_says_so() -> None:
    memory = MemoryScheduler()
    job_id, _ = submit(memory)
    memory.advance(59)
    assert states(memory, job_id) == ["RUNNING"]
    memory.finish(job_id)
    assert states(memory, job_id) == ["COMPLETED"]
    assert memory.started == [(job_id, 0, 0)]


def test_a_walltime_runs_out_at_its_very_instant() -> None:
    memory = MemoryScheduler()
    job_id, _ = submit(memory)
    memory.advance(1000)
    (run,) = asyncio.run(memory.accounted([JobRef(job_id, "1")])).values()
    assert states(memory, job_id) == ["TIMEOUT"]
    assert run.usage
    assert run.usage.elapsed_seconds == 60


def test_a_lost_answer_leaves_the_job_and_a_lost_request_does_not() -> None:
    memory = MemoryScheduler()
    memory.scenario = SubmitScenario.LOSE_ANSWER
    kept, outcome = submit(memory)
    assert isinstance(outcome, Uncertain)
    memory.scenario = SubmitScenario.LOSE_REQUEST
    lost, outcome = submit(memory)
    assert isinstance(outcome, Uncertain)
    assert set(asyncio.run(memory.find({kept: "an", lost: "an"}))) == {kept}


def test_it_refuses_when_told_to_and_what_it_could_never_run() -> None:
    memory = MemoryScheduler()
    assert isinstance(submit(memory, resources={"ntasks": 65})[1], Refused)
    memory.scenario = SubmitScenario.REFUSE
    assert isinstance(submit(memory)[1], Refused)


def test_an_unavailable_scheduler_learns_and_tells_nothing() -> None:
    memory = MemoryScheduler()
    memory.is_available = False
    with pytest.raises(SchedulerUnavailable):
        submit(memory)
    memory.is_available = True
    assert memory.running() == []


def test_a_failed_node_takes_its_runs_with_it_and_they_start_elsewhere_when_there_is_one() -> None:
    memory = MemoryScheduler()
    job_id, _ = submit(memory)
    stubborn, _ = submit(memory, requeue=RequeuePolicy(on_node_fail=False))
    memory.fail_node("n1")
    assert states(memory, job_id) == states(memory, stubborn) == ["NODE_FAIL"]
    memory.restore_node("n1")
    assert states(memory, job_id) == ["NODE_FAIL", "RUNNING"]
    assert states(memory, stubborn) == ["NODE_FAIL"]


def test_finish_all_ends_an_array_task_by_task() -> None:
    memory = MemoryScheduler()
    job_id, _ = submit(memory, array=ArraySpec(expression="0-199%7"))
    memory.finish_all()
    assert states(memory, job_id) == ["COMPLETED"] * 200
    assert len(set(memory.started)) == len(memory.started) == 200


def test_a_requeued_task_says_so() -> None:
    memory = MemoryScheduler()
    job_id, _ = submit(memory, requeue=RequeuePolicy(on_exit_codes=(75,)))
    memory.finish(job_id, exit_code=75)
    first, second = asyncio.run(memory.observe({job_id: JobRef(job_id, "1")})).jobs[job_id].tasks
    assert (first.state, first.flags) == (JobState.FAILED, frozenset({StateFlag.REQUEUED}))
    assert (second.attempt, second.state) == (1, JobState.RUNNING)
