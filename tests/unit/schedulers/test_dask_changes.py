"""Changes of jobs under way on the Dask backend, played against simulated nodes and crashes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedulers.array_tasks import TaskSet
from schedulers.dask.change import change_job
from schedulers.dask.store import MemoryPlacementStore, Placed, Placement, StoredJob
from schedulers.jobspec import ArraySpec, RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.protocol import (
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    HoldJob,
    JobChange,
    JobRef,
    Refused,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from tests.unit.schedulers.test_foreman import HAPPENINGS, SimulatedNode, Stage, Story, array, spec

POLICY = RequeuePolicy(on_exit_codes=(75,), max_requeues=50)


class ChangeStore(MemoryPlacementStore):
    """Remembers wishes as the portal's database does: before anybody acts on them."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.requeued_at: dict[UUID, float] = {}

    def note(self, job_id: UUID, change: JobChange) -> None:
        job = self.jobs[job_id]
        submission = job.submission
        match change:
            case HoldJob() | ReleaseJob():
                held = replace(submission, is_held=isinstance(change, HoldJob))
                self.jobs[job_id] = replace(job, submission=held)
            case RequeueJob():
                self.requeued_at[job_id] = self.stage.now
            case SetWalltime(seconds):
                resources = submission.spec.resources.model_copy(update={"walltime_seconds": seconds})
                longer = submission.spec.model_copy(update={"resources": resources})
                self.jobs[job_id] = replace(
                    job, submission=replace(submission, spec=longer), has_new_walltime=True
                )
            case SetNice(nice):
                self.jobs[job_id] = replace(job, submission=replace(submission, priority=-nice))
            case CancelTasks(tasks):
                self.jobs[job_id] = replace(job, cancelled_tasks=(*job.cancelled_tasks, tasks))

    async def place(self, placements: Sequence[Placement]) -> Placed:
        placed = await super().place(placements)
        for placement in placed.accepted:
            self.runs[placement.key] = replace(self.runs[placement.key], placed_at=self.stage.now)
        return placed

    async def load(self) -> Sequence[StoredJob]:
        return [
            replace(
                job,
                runs=tuple(
                    replace(
                        run,
                        is_to_requeue=run.placed_at < self.requeued_at.get(job.submission.job_id, 0.0),
                    )
                    for run in job.runs
                ),
            )
            for job in await super().load()
        ]


class Changing(Stage):
    """A stage whose jobs are changed."""

    store: ChangeStore

    def make_store(self) -> MemoryPlacementStore:
        return ChangeStore(self)

    def ask(self, job_id: UUID, change: JobChange, *, lose: bool = False) -> ChangeOutcome:
        self.store.note(job_id, change)
        if isinstance(change, RequeueJob):
            change = RequeueJob(datetime.fromtimestamp(self.store.requeued_at[job_id], UTC))
        outcome = change_job(self.foreman, ChangeRequest(JobRef(job_id, str(job_id)), change), now=self.now)
        self.deliver(lose=lose)
        return outcome

    @property
    def n1(self) -> SimulatedNode:
        return self.nodes["n1"]

    def start(self, job_id: UUID) -> None:
        """Its first tasks run, and it is known that they do."""
        self.plan()
        self.hear(self.n1)
        assert any(task.started_at for task in self.tasks(job_id))
        self.now += 5


def test_a_held_job_is_still_held_after_a_crash() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.ask(job_id, HoldJob())
    stage.boot()
    stage.plan()
    assert stage.n1.running() == []
    assert stage.snapshot(job_id).pending_reason == "JobHeldUser"
    stage.ask(job_id, ReleaseJob())
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "COMPLETED")]


def test_of_a_held_array_what_a_node_has_not_started_comes_back() -> None:
    stage = Changing(SimulatedNode("n1", cpus=1))
    job_id = stage.submit(array("0-9"))
    stage.start(job_id)
    for work in stage.foreman.floor.works.values():
        for _ in range(50):
            stage.foreman.floor.pace(work.family).learn(0.001)
    stage.plan()
    assert len(stage.n1.slots[next(iter(stage.n1.slots))]) > 1
    stage.ask(job_id, HoldJob())
    stage.hear(stage.n1)
    stage.n1.finish(stage.n1.running()[0], stage.now)
    stage.hear(stage.n1)
    stage.plan()
    assert stage.n1.running() == []
    stage.ask(job_id, ReleaseJob())
    stage.settle()
    final = [task for task in stage.tasks(job_id) if not task.flags]
    assert Counter(task.state for task in final) == {JobState.COMPLETED: 10}


def test_a_run_that_was_placed_but_not_confirmed_does_not_start_when_its_job_is_held_meanwhile() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    placed = stage.foreman.draw_orders({}, now=stage.now)
    wanted = [placement for item in placed for placement in item.placements]
    stage.ask(job_id, HoldJob())
    stage.foreman.confirm(placed, Placed(wanted), now=stage.now)
    stage.deliver()
    assert stage.n1.reports == {}
    stage.ask(job_id, ReleaseJob())
    stage.settle()
    assert sum(stage.n1.started.values()) == 1


def test_a_requeue_that_a_crash_interrupted_is_carried_out_after_it() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.start(job_id)
    stage.record()
    stage.ask(job_id, RequeueJob(), lose=True)
    stage.boot()
    stage.hear(stage.n1)
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "CANCELLED"), (0, 1, "COMPLETED")]
    assert stage.tasks(job_id)[0].reason == "Requeued"


def test_a_requeue_asked_again_leaves_the_new_run_alone() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.start(job_id)
    asked_at = datetime.fromtimestamp(stage.now, UTC)
    stage.ask(job_id, RequeueJob())
    stage.hear(stage.n1)
    stage.now += 5
    stage.plan()
    stage.hear(stage.n1)
    request = ChangeRequest(JobRef(job_id, str(job_id)), RequeueJob(started_before=asked_at))
    assert change_job(stage.foreman, request, now=stage.now) == Carried()
    stage.deliver()
    assert len(stage.n1.running()) == 1


def test_a_run_that_ends_by_itself_before_it_is_requeued_has_ended() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.start(job_id)
    stage.n1.finish(stage.n1.running()[0], stage.now)
    stage.ask(job_id, RequeueJob())
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "COMPLETED")]


def test_a_requeue_counts_as_a_restart_and_is_not_stopped_by_the_policy() -> None:
    stage = Changing()
    job_id = stage.submit(spec(requeue=RequeuePolicy(max_requeues=0)))
    stage.start(job_id)
    stage.ask(job_id, RequeueJob())
    stage.hear(stage.n1)
    stage.plan()
    (lane,) = [lane for members in stage.n1.slots.values() for lane, _ in members]
    assert lane.runs[0].environment["HPC_RESTART_COUNT"] == "1"


def test_nodes_are_told_a_new_walltime_again_when_the_message_was_lost() -> None:
    stage = Changing()
    job_id = stage.submit(spec(resources=ResourceRequest(walltime_seconds=60)))
    stage.start(job_id)
    stage.record()
    stage.ask(job_id, SetWalltime(600), lose=True)
    key = f"{job_id}/0/0/0"
    stage.foreman.reconcile("n1", stage.n1.supervisor_id, {key}, (), now=stage.now)
    assert stage.foreman.take_parcels()["n1"].walltimes == {key: 600}
    stage.foreman.reconcile("n1", stage.n1.supervisor_id, {key}, (), now=stage.now)
    stage.boot()
    stage.foreman.reconcile("n1", stage.n1.supervisor_id, {key}, (), now=stage.now)
    assert stage.foreman.take_parcels()["n1"].walltimes == {key: 600}


def test_a_new_walltime_is_what_backfill_counts_on() -> None:
    stage = Changing(SimulatedNode("n1", cpus=1))
    job_id = stage.submit(spec(resources=ResourceRequest(walltime_seconds=60)))
    stage.start(job_id)
    (work,) = stage.foreman.floor.works.values()
    before = work.slot.ends_at
    stage.ask(job_id, SetWalltime(600))
    assert work.slot.ends_at == before + 540


@pytest.mark.parametrize("crashes", [False, True])
def test_a_job_held_before_its_node_heard_of_it_does_not_start_when_the_node_is_heard_again(
    *, crashes: bool
) -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.plan(lose_launch=True)
    stage.ask(job_id, HoldJob(), lose=True)
    if crashes:
        stage.boot()
    stage.list_runs(stage.n1)
    assert stage.n1.reports == {}
    stage.record()
    stage.plan()
    assert stage.n1.reports == {}
    stage.ask(job_id, ReleaseJob())
    stage.settle()
    assert stage.states(job_id)[-1][1:] == (1, "COMPLETED")
    assert stage.n1.started == {f"{job_id}/0/1/0": 1}


def test_cancelled_tasks_stay_cancelled_after_a_crash() -> None:
    stage = Changing(SimulatedNode("n1", cpus=1))
    job_id = stage.submit(array("0-5"))
    stage.start(job_id)
    stage.record()
    stage.ask(job_id, CancelTasks(ArraySpec(expression="0,3-4")), lose=True)
    stage.boot()
    stage.settle()
    states = {task: state for task, _, state in stage.states(job_id)}
    assert states == {
        0: "CANCELLED",
        1: "COMPLETED",
        2: "COMPLETED",
        3: "CANCELLED",
        4: "CANCELLED",
        5: "COMPLETED",
    }
    assert {key.split("/")[1] for key in stage.n1.started} == {"0", "1", "2", "5"}


def test_a_cancelled_task_that_was_placed_but_not_confirmed_does_not_start() -> None:
    stage = Changing()
    job_id = stage.submit(array("0-1"))
    placed = stage.foreman.draw_orders({}, now=stage.now)
    wanted = [placement for item in placed for placement in item.placements]
    stage.ask(job_id, CancelTasks(ArraySpec(expression="0")))
    stage.foreman.confirm(placed, Placed(wanted[1:]), now=stage.now)  # the store refuses the other one
    stage.deliver()
    assert {report.key.split("/")[1] for report in stage.n1.reports.values()} == {"1"}
    assert (0, 0, "CANCELLED") in stage.states(job_id)


def test_a_nicer_job_goes_behind_and_keeps_its_place_after_a_crash() -> None:
    stage = Changing(SimulatedNode("n1", cpus=1))
    first, second = stage.submit(spec()), stage.submit(spec())
    stage.ask(first, SetNice(10))
    stage.boot()
    stage.plan()
    assert stage.n1.running() == [f"{second}/0/0/0"]


def test_a_job_that_is_being_cancelled_or_unknown_is_changed_no_more() -> None:
    stage = Changing()
    job_id = stage.submit(spec())
    stage.start(job_id)
    stage.foreman.cancel([str(job_id)], now=stage.now)
    assert isinstance(stage.ask(job_id, SetWalltime(900)), Refused)
    unknown = ChangeRequest(JobRef(job_id, "unknown"), HoldJob())
    assert isinstance(change_job(stage.foreman, unknown, now=stage.now), Refused)


class ChangingStory(Story, Changing):
    """What hypothesis may choose, changes among it."""

    def a_job(self) -> UUID | None:
        return self.dice.choice(list(self.store.jobs)) if self.store.jobs else None

    def ask_one(self, change: JobChange) -> None:
        if job_id := self.a_job():
            self.ask(job_id, change, lose=self.dice.random() < 0.2)

    def holds(self) -> None:
        self.ask_one(HoldJob())

    def releases(self) -> None:
        self.ask_one(ReleaseJob())

    def requeues(self) -> None:
        self.ask_one(RequeueJob())

    def extends(self) -> None:
        self.ask_one(SetWalltime(7200))

    def is_nice(self) -> None:
        self.ask_one(SetNice(self.dice.choice([0, 3, -3])))

    def cancels_tasks(self) -> None:
        self.ask_one(CancelTasks(ArraySpec(expression=self.dice.choice(["0", "2-4", "1,7-9"]))))

    def lists_nodes(self) -> None:
        """What is asked of a node when a message may have been lost."""
        for node in self.nodes.values():
            self.list_runs(node)


CHANGES = ["holds", "releases", "requeues", "extends", "is_nice", "cancels_tasks"]
OTHERS = [name for name in HAPPENINGS if name != "cancels"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(OTHERS + CHANGES * 2), max_size=40), st.randoms(use_true_random=False))
def test_however_jobs_are_changed_no_run_starts_twice_and_every_job_comes_to_its_end(
    story: list[str],
    dice: Any,  # noqa: ANN401 - hypothesis' Random
) -> None:
    stage = ChangingStory(dice)
    for happening in story:
        stage.now += 1
        getattr(stage, happening)()
    stage.lists_nodes()
    for job_id in list(stage.store.jobs):
        stage.ask(job_id, ReleaseJob())
    stage.settle()
    started = sum((node.started for node in stage.nodes.values()), Counter[str]())
    assert all(count == 1 for count in started.values())
    for job_id in stage.jobs:
        job = stage.over[job_id]
        dropped = TaskSet(job.cancelled_tasks)
        final = {
            task: run.state
            for (of, task, _), run in sorted(stage.store.runs.items())
            if of == job_id and not run.is_requeued
        }
        assert sorted(final) == list(job.submission.spec.task_indices())
        for task, state in final.items():
            assert state is JobState.COMPLETED or task in dropped
    assert not stage.foreman.floor.works
    assert {node.free.cpus for node in stage.foreman.pool.nodes.values()} == {2, 3}
