"""The Dask backend's decisions, played against simulated nodes: crashes, lost messages, late reports."""

import itertools
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedulers.cluster import Partition
from schedulers.dask.foreman import MOMENT_SECONDS, Foreman, PlacedOrder
from schedulers.dask.messages import Lane, NodeHello, RunKey, RunReport
from schedulers.dask.placement import BUDGET
from schedulers.dask.store import MemoryPlacementStore, Placed, StoredJob, StoredRun
from schedulers.jobspec import ArraySpec, JobSpec, RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobSnapshot, JobState, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef, Refused, Submission

T = TypeVar("T")
MAIN = Partition("main", ("*",), 10**6, 3600, is_default=True)


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError


@dataclass
class SimulatedNode:
    """A supervisor: remembers every key, runs the lanes of a slot in turn, reports when asked to."""

    name: str
    cpus: int = 2
    supervisor_id: str = field(default_factory=lambda: uuid4().hex)
    reports: dict[str, RunReport] = field(default_factory=dict)
    slots: dict[str, list[tuple[Lane, str]]] = field(default_factory=dict)
    started: "Counter[str]" = field(default_factory=Counter)
    outgoing: list[RunReport] = field(default_factory=list)
    refuses: bool = False
    """Lanes that do not fit, as a real one does; otherwise they are a mistake."""

    def hello(self) -> NodeHello:
        return NodeHello(self.name, f"tcp://{self.name}:1", self.supervisor_id, self.cpus, 100_000)

    def launch(self, lanes: list[Lane], now: float) -> None:
        for lane in lanes:
            others = [members[0][0] for slot, members in self.slots.items() if members and slot != lane.slot]
            is_refused = self.refuses and sum(other.cpus for other in others) + lane.cpus > self.cpus
            for run in lane.runs:
                if run.key not in self.reports and is_refused:
                    self._say(RunReport(run.key, lane.lane_id, JobState.BOOT_FAIL, ended_at=now))
                elif run.key not in self.reports:
                    self._say(RunReport(run.key, lane.lane_id, "queued"))
                    self.slots.setdefault(lane.slot, []).append((lane, run.key))
        self._start_next(now)

    def running(self) -> list[str]:
        return [key for key, report in self.reports.items() if report.state == "running"]

    def finish(self, key: str, now: float, *, code: int = 0) -> None:
        state = JobState.FAILED if code else JobState.COMPLETED
        self._end(key, RunReport(key, "", state, exit_code=code, started_at=now - 1, ended_at=now))
        self._start_next(now)

    def cancel(self, keys: set[str], jobs: set[str], now: float) -> None:
        for key, report in list(self.reports.items()):
            if not report.has_ended and (key in keys or RunKey.parse(key).job_id in jobs):
                self._end(key, RunReport(key, "", JobState.CANCELLED, ended_at=now))
        self._start_next(now)

    def recall(self, keys: set[str], now: float) -> None:
        known = {key for key in keys if key in self.reports}
        self.cancel({key for key in known if self.reports[key].state == "queued"}, set(), now)

    def restart(self) -> None:
        """The machine died: what ran is gone, and so is all memory of it."""
        self.supervisor_id = uuid4().hex
        self.reports.clear()
        self.slots.clear()
        self.outgoing.clear()

    def _end(self, key: str, report: RunReport) -> None:
        self._say(report)
        for members in self.slots.values():
            members[:] = [member for member in members if member[1] != key]

    def _start_next(self, now: float) -> None:
        for members in self.slots.values():
            if members and self.reports[members[0][1]].state == "queued":
                lane, key = members[0]
                self.started[key] += 1
                self._say(RunReport(key, lane.lane_id, "running", started_at=now))
        used = sum(members[0][0].cpus for members in self.slots.values() if members)
        assert used <= self.cpus, "over-committed"

    def _say(self, report: RunReport) -> None:
        self.reports[report.key] = report
        self.outgoing.append(report)


class Stage:
    """A foreman, a store and nodes. Each method is one thing that can happen."""

    def __init__(self, *nodes: SimulatedNode, licenses: dict[str, int] | None = None) -> None:
        self.nodes = {node.name: node for node in nodes or (SimulatedNode("n1"),)}
        self.store = self.make_store()
        self.licenses = licenses or {}
        self.now = 1000.0
        self.started: Counter[str] = Counter()
        self.boot()

    def make_store(self) -> MemoryPlacementStore:
        return MemoryPlacementStore()

    def boot(self) -> None:
        """A controller starts, the first one or one after a crash."""
        self.foreman = Foreman([MAIN], self.licenses)
        self.cursor: int | None = None
        self.seen: dict[str, JobSnapshot] = {}
        self.foreman.restore(done(self.store.load()), now=self.now)
        for node in self.nodes.values():
            self.list_runs(node)

    def submit(self, spec: JobSpec, **facts: Any) -> UUID:  # noqa: ANN401 - fields of Submission
        job_id = uuid4()
        submitted = datetime.fromtimestamp(self.now, UTC)
        submission = Submission(job_id, spec, "an", "uni", "lab", "/work/x", submitted, **facts)
        self.foreman.admit(submission)
        self.store.accept(submission)
        return job_id

    def plan(self, *, crash_after_place: bool = False, lose_launch: bool = False) -> None:
        placed = self.foreman.draw_orders(self.store.concurrent_limits, now=self.now)
        wanted = [placement for item in placed for placement in item.placements]
        answer = done(self.store.place(wanted))
        if crash_after_place:
            self.boot()
            return
        self.foreman.confirm(placed, answer, now=self.now)
        self.deliver(lose=lose_launch)

    def deliver(self, *, lose: bool = False) -> None:
        for name, parcel in self.foreman.take_parcels().items():
            if lose:
                continue
            node = self.nodes[name]
            node.launch(parcel.lanes, self.now)
            node.cancel(parcel.cancel_keys, parcel.cancel_jobs, self.now)
            node.recall(parcel.recall_keys, self.now)

    def hear(self, node: SimulatedNode, *, twice: bool = False) -> None:
        reports, node.outgoing = node.outgoing, []
        for report in reports * (2 if twice else 1):
            self.foreman.hear_report(node.name, report)
        self.deliver()

    def list_runs(self, node: SimulatedNode) -> None:
        self.foreman.hear_hello(node.hello())
        for report in list(node.reports.values()):
            self.foreman.hear_report(node.name, report)
        self.foreman.reconcile(node.name, node.supervisor_id, set(node.reports), (), now=self.now)
        self.deliver()

    def record(self) -> None:
        """The portal observes, and writes what it saw."""
        seen = self.foreman.book.snapshots(self.refs(), self.cursor)
        self.cursor = self.foreman.book.version
        for job_id, snapshot in seen.items():
            for task in snapshot.tasks:
                key = job_id, task.task_index, task.attempt
                placed = self.store.runs.get(key)
                self.store.record(
                    job_id,
                    StoredRun(
                        task.task_index,
                        task.attempt,
                        task.state,
                        StateFlag.REQUEUED in task.flags,
                        task.has_ended,
                        placed.placement if placed else {},
                        placed_at=placed.placed_at if placed else 0.0,
                        has_started=task.started_at is not None,
                    ),
                )

    def settle(self) -> None:
        """Let everything run to its end, with every message delivered."""
        for _ in range(400):
            self.now += 10
            self.plan()
            for node in self.nodes.values():
                for key in node.running():
                    node.finish(key, self.now)
                self.hear(node)
            self.record()
            if all(job.is_closed and not job.live for job in self.foreman.book.jobs.values()):
                return
        message = "it never came to rest"
        raise AssertionError(message)

    def refs(self) -> dict[UUID, JobRef]:
        jobs = self.foreman.book.jobs.values()
        return {job.submission.job_id: JobRef(job.submission.job_id, job.job_id) for job in jobs}

    def snapshot(self, job_id: UUID, *, since: int | None = None) -> JobSnapshot:
        return self.foreman.book.snapshots({job_id: JobRef(job_id, str(job_id))}, since)[job_id]

    def tasks(self, job_id: UUID) -> list[TaskSnapshot]:
        return sorted(self.snapshot(job_id).tasks, key=lambda task: (task.task_index, task.attempt))

    def states(self, job_id: UUID) -> list[tuple[int, int, str]]:
        return [(task.task_index, task.attempt, str(task.state)) for task in self.tasks(job_id)]


def spec(**facts: Any) -> JobSpec:  # noqa: ANN401 - fields of JobSpec
    facts.setdefault("name", "sim")
    facts.setdefault("argv", ("true",))
    return JobSpec(**facts)


def array(expression: str, **facts: Any) -> JobSpec:  # noqa: ANN401 - fields of JobSpec
    return spec(array=ArraySpec(expression=expression), **facts)


def test_a_job_runs_once_and_its_end_is_seen_with_its_usage() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    stage.plan()
    stage.now += 10
    (node,) = stage.nodes.values()
    node.finish(node.running()[0], stage.now)
    stage.hear(node)
    (task,) = stage.tasks(job_id)
    assert task.state is JobState.COMPLETED
    assert task.usage
    assert task.usage.allocated_tres == {"cpu": 1, "mem": 1024, "node": 1}


def test_a_job_sent_twice_is_queued_once() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    stage.foreman.admit(stage.store.jobs[job_id].submission)
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "COMPLETED")]


def test_a_job_that_can_never_run_here_is_refused() -> None:
    stage = Stage(licenses={"vcs": 1})
    for wrong in (
        spec(partition="gone"),
        spec(resources=ResourceRequest(walltime_seconds=10**6 + 1)),
        spec(resources=ResourceRequest(licenses={"vcs": 2})),
    ):
        submission = Submission(uuid4(), wrong, "an", "uni", "lab", "/w", datetime.now(UTC))
        assert isinstance(stage.foreman.admit(submission), Refused)


def test_short_tasks_travel_in_lanes_once_it_is_known_that_they_are_short() -> None:
    stage = Stage()
    stage.submit(array("0-999"))
    (node,) = stage.nodes.values()
    stage.plan()
    assert [len(members) for members in node.slots.values()] == [1, 1]
    for _ in range(20):
        for key in node.running():
            node.finish(key, stage.now)
        for report in node.outgoing:
            assert report.ended_at is None or report.started_at is not None
        node.outgoing = [
            RunReport(r.key, r.lane_id, r.state, started_at=stage.now - 0.001, ended_at=stage.now)
            if r.has_ended
            else r
            for r in node.outgoing
        ]
        stage.hear(node)
        stage.plan()
    assert max(len(members) for members in node.slots.values()) > 64
    assert all(count == 1 for count in node.started.values())


def test_lanes_stop_growing_when_a_job_that_comes_first_waits() -> None:
    stage = Stage()
    family = stage.submit(array("0-99"))
    (node,) = stage.nodes.values()
    stage.plan()
    job = stage.foreman.book.jobs[str(family)]
    learn_to_be_short(stage)
    stage.submit(spec(name="urgent", resources=ResourceRequest(ntasks=2)), priority=9)
    before = job.entry.waiting
    stage.plan()
    assert job.entry.waiting == before
    for key in node.running():
        node.finish(key, stage.now)
    stage.hear(node)
    stage.plan()
    assert job.entry.waiting == before


def test_a_job_that_is_to_begin_later_is_not_sent_ahead_of_its_time() -> None:
    stage = Stage()
    for name in ("sim-1", "sim-2"):
        stage.submit(spec(name=name))
    stage.plan()
    learn_to_be_short(stage)
    at = datetime.fromtimestamp(stage.now + 1000, UTC)
    soon, later = stage.submit(spec(name="sim-3")), stage.submit(spec(name="sim-4", begin_at=at))
    stage.plan()
    sent = {RunKey.parse(key).job_id for key in stage.nodes["n1"].reports}
    assert str(soon) in sent
    assert str(later) not in sent
    stage.now += 1000
    stage.plan()
    assert str(later) in {RunKey.parse(key).job_id for key in stage.nodes["n1"].reports}


@pytest.mark.parametrize("leaves", ["drains", "is suspended"])
def test_a_node_that_takes_no_new_jobs_gets_no_more_lanes_either(leaves: str) -> None:
    stage = Stage()
    node = stage.nodes["n1"]
    for number in range(6):
        stage.submit(spec(name=f"sim-{number}"))
    stage.plan()
    learn_to_be_short(stage)
    if leaves == "drains":
        stage.foreman.hear_hello(replace(node.hello(), draining=True))
    else:
        stage.foreman.suspend_node("n1")
    stage.plan()
    assert len(node.reports) == 2
    stage.foreman.hear_hello(node.hello())
    stage.plan()
    assert len(node.reports) > 2


def learn_to_be_short(stage: Stage) -> None:
    for _ in range(50):
        stage.foreman.floor.pace(next(iter(stage.foreman.floor.works.values())).family).learn(0.001)


def test_what_queues_behind_a_task_that_turns_out_long_is_taken_back_and_runs_elsewhere() -> None:
    stage = Stage()
    job_id = stage.submit(array("0-9", requeue=RequeuePolicy(on_node_fail=False, max_requeues=0)))
    node = stage.nodes["n1"]
    stage.plan()
    learn_to_be_short(stage)
    for _ in range(5):
        stage.plan()
    stage.hear(node)
    long, short = (members for members in node.slots.values())
    assert len(long) + len(short) == 10
    behind = [key for _, key in long[1:]]
    for _ in range(len(short)):
        node.finish(short[0][1], stage.now)
    stage.hear(node)
    stage.now += 6
    stage.foreman.recall_from_slow_slots(now=stage.now)
    stage.deliver()
    stage.hear(node)
    stage.plan()
    again = {f"{key[:-3]}1/0" for key in behind}
    elsewhere = {key for members in node.slots.values() for _, key in members} - {long[0][1]}
    assert elsewhere
    assert elsewhere <= again
    lanes = [lane for members in node.slots.values() for lane, _ in members]
    assert not any("HPC_RESTART_COUNT" in run.environment for lane in lanes for run in lane.runs)
    stage.settle()
    recalled = [task for task in stage.tasks(job_id) if task.state is JobState.CANCELLED]
    assert {task.flags for task in recalled} == {frozenset({StateFlag.REQUEUED})}
    assert {task.usage.started_at for task in recalled if task.usage} == {None}
    final = [task for task in stage.tasks(job_id) if not task.flags]
    assert {task.state for task in final} == {JobState.COMPLETED}
    assert len(final) == 10


def test_an_exit_code_that_asks_for_it_runs_the_task_again_until_the_limit() -> None:
    stage = Stage()
    job_id = stage.submit(spec(requeue=RequeuePolicy(on_exit_codes=(75,), max_requeues=1)))
    (node,) = stage.nodes.values()
    for _ in range(2):
        stage.plan()
        node.finish(node.running()[0], stage.now, code=75)
        stage.hear(node)
    first, second = stage.tasks(job_id)
    assert first.flags == {StateFlag.REQUEUED}
    assert (second.attempt, second.state, second.flags) == (1, JobState.FAILED, frozenset())


def test_a_run_that_a_node_could_not_start_is_tried_again_after_a_pause_and_not_for_ever() -> None:
    stage = Stage()
    job_id = stage.submit(spec(requeue=RequeuePolicy(max_requeues=1)))
    for attempt in range(2):
        stage.plan()
        report = RunReport(f"{job_id}/0/{attempt}/0", "", "BOOT_FAIL", "no account", ended_at=stage.now)
        stage.foreman.hear_report("n1", report)
        stage.plan()
        assert len(stage.tasks(job_id)) == attempt + 1
        stage.now += 2
    assert stage.states(job_id) == [(0, 0, "BOOT_FAIL"), (0, 1, "BOOT_FAIL")]
    assert stage.foreman.book.jobs[str(job_id)].is_closed


def test_cancelling_ten_thousand_waiting_tasks_touches_none_of_them() -> None:
    stage = Stage()
    job_id = stage.submit(array("0-9999"))
    stage.plan()
    stage.foreman.cancel([str(job_id)], now=stage.now)
    job = stage.foreman.book.jobs[str(job_id)]
    assert not job.entry.waiting
    assert len(job.runs) == 2
    stage.deliver()
    stage.hear(stage.nodes["n1"])
    assert {state for _, _, state in stage.states(job_id)} == {"CANCELLED"}


def test_a_requeued_attempt_that_waits_is_cancelled_by_name() -> None:
    stage = Stage()
    job_id = stage.submit(spec(requeue=RequeuePolicy(on_exit_codes=(75,))))
    (node,) = stage.nodes.values()
    stage.plan()
    node.finish(node.running()[0], stage.now, code=75)
    stage.hear(node)
    stage.foreman.cancel([str(job_id)], now=stage.now)
    assert stage.states(job_id) == [(0, 0, "FAILED"), (0, 1, "CANCELLED")]
    assert stage.tasks(job_id)[1].usage
    assert stage.tasks(job_id)[1].started_at is None


def test_a_job_cancelled_while_the_store_writes_its_placement_never_starts() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    placed = stage.foreman.draw_orders({}, now=stage.now)
    answer = done(stage.store.place([p for item in placed for p in item.placements]))
    stage.foreman.cancel([str(job_id)], now=stage.now)
    stage.foreman.confirm(placed, answer, now=stage.now)
    stage.deliver()
    assert not stage.nodes["n1"].started
    assert stage.states(job_id) == [(0, 0, "CANCELLED")]


def test_a_node_that_lists_its_runs_while_the_store_writes_gets_nothing_that_does_not_stand_yet() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    (node,) = stage.nodes.values()
    placed = stage.foreman.draw_orders({}, now=stage.now)
    stage.list_runs(node)
    assert not node.started
    stage.foreman.confirm(placed, Placed([]), now=stage.now)
    stage.list_runs(node)
    assert not node.started
    stage.now += 6
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "COMPLETED")]


def test_a_cancelled_job_whose_placement_was_refused_is_told_to_be_closed() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    placed = stage.foreman.draw_orders({}, now=stage.now)
    stage.foreman.cancel([str(job_id)], now=stage.now)
    cursor = stage.foreman.book.version
    stage.foreman.confirm(placed, Placed([]), now=stage.now)
    assert stage.snapshot(job_id, since=cursor).is_closed


@pytest.mark.parametrize("stands", [True, False])
def test_a_node_lost_while_the_store_writes_gets_nothing_and_the_job_runs_again(*, stands: bool) -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    (node,) = stage.nodes.values()
    placed = stage.foreman.draw_orders({}, now=stage.now)
    wanted = [placement for item in placed for placement in item.placements]
    answer = done(stage.store.place(wanted)) if stands else Placed([])
    stage.foreman.lose_node(node.name, now=stage.now)
    stage.foreman.confirm(placed, answer, now=stage.now)
    stage.deliver()
    assert not node.started
    stage.list_runs(node)
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "NODE_FAIL"), (0, 1, "COMPLETED")]
    assert node.started.total() == 1


def test_a_placement_that_the_store_refuses_goes_back_and_frees_its_slot() -> None:
    stage = Stage()
    stage.store.is_active = False
    job_id = stage.submit(array("0-2"))
    stage.plan()
    assert not stage.nodes["n1"].started
    assert stage.foreman.pool.nodes["n1"].free.cpus == 2
    stage.store.is_active = True
    stage.now += 6
    stage.settle()
    assert stage.states(job_id) == [(n, 0, "COMPLETED") for n in range(3)]


def test_a_restart_that_nobody_can_pay_for_waits_and_says_why() -> None:
    stage = Stage()
    job_id = stage.submit(spec(requeue=RequeuePolicy(on_exit_codes=(75,))))
    stage.plan()
    (node,) = stage.nodes.values()
    node.finish(f"{job_id}/0/0/0", stage.now, code=75)
    stage.hear(node)
    stage.store.unfunded[job_id] = BUDGET
    for _ in range(3):
        stage.plan()
        stage.plan()
        assert stage.snapshot(job_id).pending_reason == BUDGET
        stage.now += 6
    other = stage.submit(spec(name="other"))
    stage.plan()
    assert node.running() == [f"{other}/0/0/0"]
    del stage.store.unfunded[job_id]
    stage.now += 6
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "FAILED"), (0, 1, "COMPLETED")]


def test_a_restart_that_is_not_settled_yet_waits_a_moment_only() -> None:
    stage = Stage()
    job_id = stage.submit(spec(requeue=RequeuePolicy(on_exit_codes=(75,))))
    stage.plan()
    (node,) = stage.nodes.values()
    node.finish(f"{job_id}/0/0/0", stage.now, code=75)
    stage.hear(node)
    stage.store.unfunded[job_id] = ""
    stage.plan()
    del stage.store.unfunded[job_id]
    stage.now += 2 * MOMENT_SECONDS
    stage.plan()
    assert node.running() == [f"{job_id}/0/1/0"]


def test_a_node_that_comes_back_without_its_runs_has_failed_them() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    stage.plan()
    stage.nodes["n1"].restart()
    stage.list_runs(stage.nodes["n1"])
    assert stage.states(job_id) == [(0, 0, "NODE_FAIL")]
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "NODE_FAIL"), (0, 1, "COMPLETED")]


def test_a_node_given_up_that_comes_back_is_told_to_end_what_was_requeued() -> None:
    stage = Stage(SimulatedNode("n1"), SimulatedNode("n2"))
    job_id = stage.submit(spec())
    stage.plan()
    first = next(node for node in stage.nodes.values() if node.started)
    stage.foreman.lose_node(first.name, now=stage.now)
    stage.plan()
    assert len(first.running()) == 1
    stage.list_runs(first)
    assert first.running() == []
    stage.settle()
    assert stage.states(job_id) == [(0, 0, "NODE_FAIL"), (0, 1, "COMPLETED")]


def test_a_lane_whose_launch_got_lost_is_launched_when_the_node_lists_its_runs() -> None:
    stage = Stage()
    job_id = stage.submit(spec())
    stage.plan(lose_launch=True)
    assert not stage.nodes["n1"].started
    stage.list_runs(stage.nodes["n1"])
    assert stage.nodes["n1"].started == {f"{job_id}/0/0/0": 1}


def test_a_gang_ends_when_all_its_ranks_have_and_the_first_failure_ends_the_others() -> None:
    nodes = SimulatedNode("n1"), SimulatedNode("n2"), SimulatedNode("n3")
    stage = Stage(*nodes)
    job_id = stage.submit(spec(resources=ResourceRequest(nodes=3, ntasks=6)))
    stage.plan()
    assert [node.running() for node in nodes] == [[f"{job_id}/0/0/{rank}"] for rank in range(3)]
    lane = nodes[1].slots[next(iter(nodes[1].slots))][0][0]
    assert lane.command.environment["HPC_NODE_RANK"] == "1"
    assert lane.command.environment["HPC_NODELIST"] == "n1,n2,n3"
    assert lane.runs[0].environment["MASTER_ADDR"] == "n1"
    nodes[1].finish(f"{job_id}/0/0/1", stage.now, code=3)
    stage.hear(nodes[1])
    assert nodes[0].running() == nodes[2].running() == []
    assert stage.states(job_id) == [(0, 0, "RUNNING")]
    for node in nodes:
        stage.hear(node)
    (task,) = stage.tasks(job_id)
    assert (task.state, str(task.exit_code)) == (JobState.FAILED, "3:0")


def test_forgetting_drops_ended_jobs_only() -> None:
    stage = Stage()
    over, runs = stage.submit(spec()), stage.submit(spec(name="long"))
    stage.plan()
    (node,) = stage.nodes.values()
    node.finish(f"{over}/0/0/0", stage.now)
    stage.hear(node)
    stage.foreman.forget([str(over), str(runs), "unknown"])
    assert list(stage.foreman.book.jobs) == [str(runs)]
    assert stage.foreman.take_parcels()["n1"].forget_keys == {f"{over}/0/0/0"}


def test_observing_from_a_cursor_tells_only_what_changed_since() -> None:
    stage = Stage()
    job_id = stage.submit(array("0-5"))
    stage.plan()
    (node,) = stage.nodes.values()
    stage.hear(node)
    cursor = stage.foreman.book.version
    node.finish(node.running()[0], stage.now)
    stage.hear(node)
    snapshot = stage.snapshot(job_id, since=cursor)
    assert [(task.task_index, task.state) for task in snapshot.tasks] == [(0, JobState.COMPLETED)]
    assert stage.foreman.book.snapshots(stage.refs(), stage.foreman.book.version) == {}
    unknown = JobRef(uuid4(), "unknown")
    assert stage.foreman.book.snapshots({unknown.job_id: unknown}, None) == {}


POLICY = RequeuePolicy(on_exit_codes=(75,), max_requeues=50)


class Story(Stage):
    """Every method is a happening that hypothesis may choose; `dice` decides about the details."""

    def __init__(self, dice: Any) -> None:  # noqa: ANN401 - hypothesis' Random
        super().__init__(SimulatedNode("n1", cpus=2), SimulatedNode("n2", cpus=3))
        self.dice = dice
        self.jobs: list[UUID] = []
        self.over: dict[UUID, StoredJob] = {}
        self.asked: list[PlacedOrder] | None = None
        """What the store is being asked for."""

    def boot(self) -> None:
        """The one before may have given away what a run held of which it could not write the end."""
        self.asked = None
        for node in self.nodes.values():
            node.refuses = True
        super().boot()

    def plan(self, *, crash_after_place: bool = False, lose_launch: bool = False) -> None:
        """One at a time, as the backend does."""
        self.is_answered()
        super().plan(crash_after_place=crash_after_place, lose_launch=lose_launch)

    def record(self) -> None:
        """Also which jobs are over: none of them before all its tasks are, and then it is forgotten."""
        super().record()
        for job in list(self.foreman.book.jobs.values()):
            job_id = job.submission.job_id
            runs = [run for key, run in self.store.runs.items() if key[0] == job_id]
            if not job.is_closed or any(not run.has_ended for run in runs):
                continue
            if not self.store.jobs[job_id].cancel_requested:
                final = [run for run in runs if not run.is_requeued]
                assert len(final) == job.submission.spec.task_count, "closed before all of it had run"
            self.over[job_id] = self.store.jobs[job_id]
            self.store.drop(job_id)
            self.foreman.forget([job.job_id])

    @property
    def node(self) -> SimulatedNode:
        return self.dice.choice(list(self.nodes.values()))  # type: ignore[no-any-return]

    def submits_a_job(self) -> None:
        self.jobs.append(self.submit(spec(requeue=POLICY)))

    def submits_an_array(self) -> None:
        self.jobs.append(self.submit(array("0-9%4", requeue=POLICY)))

    def submits_a_gang(self) -> None:
        asked = ResourceRequest(nodes=2, ntasks=2)
        self.jobs.append(self.submit(spec(name="gang", resources=asked, requeue=POLICY)))

    def plans(self) -> None:
        self.plan()

    def asks_the_store(self) -> None:
        self.is_answered()
        self.asked = self.foreman.draw_orders({}, now=self.now)

    def is_answered(self) -> None:
        asked, self.asked = self.asked or [], None
        wanted = [placement for item in asked for placement in item.placements]
        self.foreman.confirm(asked, done(self.store.place(wanted)), now=self.now)
        self.deliver()

    def is_refused(self) -> None:
        self.store.is_active = False
        self.is_answered()
        self.store.is_active = True

    def is_answered_by_half(self) -> None:
        asked, self.asked = self.asked or [], None
        wanted = [placement for item in asked for placement in item.placements if self.dice.random() < 0.5]
        self.foreman.confirm(asked, done(self.store.place(wanted)), now=self.now)
        self.deliver()

    def suspends_a_node(self) -> None:
        self.foreman.suspend_node(self.node.name)

    def hears_a_node_again(self) -> None:
        self.list_runs(self.node)

    def loses_a_launch(self) -> None:
        self.plan(lose_launch=True)
        for node in self.nodes.values():
            self.list_runs(node)

    def crashes_before_the_launch(self) -> None:
        self.plan(crash_after_place=True)

    def crashes(self) -> None:
        self.boot()

    def finishes_a_run(self, code: int = 0) -> None:
        node = self.node
        if running := node.running():
            node.finish(self.dice.choice(running), self.now, code=code)

    def asks_to_be_run_again(self) -> None:
        self.finishes_a_run(code=75)

    def hears(self) -> None:
        self.hear(self.node)

    def hears_twice(self) -> None:
        self.hear(self.node, twice=True)

    def loses_reports(self) -> None:
        node = self.node
        node.outgoing.clear()
        self.list_runs(node)

    def loses_a_node(self) -> None:
        node = self.node
        node.restart()
        self.list_runs(node)

    def gives_up_a_node_that_lives(self) -> None:
        node = self.node
        self.foreman.lose_node(node.name, now=self.now)
        self.list_runs(node)

    def records(self) -> None:
        self.record()

    def learns_that_tasks_are_short(self) -> None:
        for work in self.foreman.floor.works.values():
            for _ in range(50):
                self.foreman.floor.pace(work.family).learn(0.001)

    def recalls_from_slow_slots(self) -> None:
        self.now += 6
        self.foreman.recall_from_slow_slots(now=self.now)
        self.deliver()

    def cancels(self) -> None:
        if self.store.jobs:
            job_id = self.dice.choice(list(self.store.jobs))
            self.store.request_cancel(job_id)
            self.foreman.cancel([str(job_id)], now=self.now)
            self.deliver()


HAPPENINGS = [
    name
    for name, value in vars(Story).items()
    if callable(value) and not (name.startswith("_") or hasattr(Stage, name))
]
OFTEN = ["plans", "finishes_a_run", "hears", "submits_a_job"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(HAPPENINGS + OFTEN * 2), max_size=60), st.randoms(use_true_random=False))
def test_whatever_happens_no_run_starts_twice_and_every_job_comes_to_its_end(
    story: list[str],
    dice: Any,  # noqa: ANN401 - hypothesis' Random
) -> None:
    stage = Story(dice)
    for happening in story:
        stage.now += 1
        getattr(stage, happening)()
    for node in stage.nodes.values():
        stage.list_runs(node)
    stage.settle()
    started = sum((node.started for node in stage.nodes.values()), Counter[str]())
    assert all(count == 1 for count in started.values())
    for job_id in stage.jobs:
        job = stage.over[job_id]
        if job.cancel_requested:
            continue
        final = [run for key, run in stage.store.runs.items() if key[0] == job_id and not run.is_requeued]
        assert Counter(run.state for run in final) == {JobState.COMPLETED: job.submission.spec.task_count}
    assert not stage.foreman.floor.works
    assert {node.free.cpus for node in stage.foreman.pool.nodes.values()} == {2, 3}


def test_task_keys_are_drawn_lazily() -> None:
    stage = Stage()
    job_id = stage.submit(array("0-999999"))
    job = stage.foreman.book.jobs[str(job_id)]
    assert job.take_tasks(2) == [(0, 0), (1, 0)]
    assert list(itertools.islice(job.upcoming, 1)) == [2]
