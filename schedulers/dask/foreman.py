"""Decides everything about jobs and nodes: events in, changed records and parcels for nodes out. No I/O."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

import structlog

from schedulers.array_tasks import TaskSet
from schedulers.cluster import NodeState, Partition
from schedulers.dask.admission import (
    cancel_waiting,
    drop_waiting,
    new_job,
    refusal,
    restored_job,
    restored_slot,
)
from schedulers.dask.book import Book, Job, Run
from schedulers.dask.commands import Task, lanes_of
from schedulers.dask.ends import RunEnd, end_of_gang, end_of_report
from schedulers.dask.lanes import LONG_SECONDS, Floor, Order, Work, family_of
from schedulers.dask.messages import Lane, NodeHello, RunKey, RunReport
from schedulers.dask.placement import BEGIN_TIME, PRIORITY, ConcurrentLimits, plan
from schedulers.dask.pool import Pool, PoolNode
from schedulers.dask.queue import LimitGroup, PendingQueue, Policy, priority_then_submission
from schedulers.dask.store import Placed, Placement, Share, StoredJob
from schedulers.jobstate import JobState
from schedulers.protocol import Accepted, Refused, Submission, SubmitOutcome

log = structlog.get_logger(__name__)

_REFUSED_PAUSE_SECONDS = 5.0
"""How long a job rests whose placement the store refused."""
REQUEUED = "Requeued"
"""The reason of a run that was ended so that the job runs again."""
MOMENT_SECONDS = 0.2
"""How long a job rests that the store cannot place yet, but soon."""
_BOOT_FAIL_PAUSE_SECONDS = 1.0
"""How long a job rests that a node could not start, for the node may be overloaded."""


@dataclass(slots=True)
class Parcel:
    """What a node is to be told."""

    lanes: list[Lane] = field(default_factory=list)
    cancel_jobs: set[str] = field(default_factory=set)
    cancel_keys: set[str] = field(default_factory=set)
    recall_keys: set[str] = field(default_factory=set)
    walltimes: dict[str, int] = field(default_factory=dict)
    """New limits of runs, in seconds since their start."""
    forget_keys: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        parts = (self.lanes, self.cancel_jobs, self.cancel_keys, self.recall_keys, self.walltimes)
        return any((*parts, self.forget_keys))


@dataclass(slots=True)
class PlacedOrder:
    """A lane whose runs are in the book but not yet in the store, and so not yet on any node."""

    order: Order
    share: Share
    runs: list[Run]

    @property
    def placements(self) -> list[Placement]:
        """What the store is asked to write."""
        job_id = self.order.job.submission.job_id
        restarts = self.order.job.restarts
        return [
            Placement(job_id, run.task_index, run.attempt, self.share, restarts(*run.key))
            for run in self.runs
        ]


class Foreman:
    """The state of the whole backend. Callers hand it events, and carry out `take_parcels` afterwards."""

    def __init__(
        self,
        partitions: Iterable[Partition],
        licenses: Mapping[str, int],
        *,
        grace_seconds: float = 30.0,
        policy: Policy = priority_then_submission,
    ) -> None:
        self.book = Book()
        self.pool = Pool(partitions, licenses)
        self.floor = Floor()
        self.queue = PendingQueue(policy)
        self._grace_seconds = grace_seconds
        self._sequence = 0
        self._instance = uuid4().hex[:8]
        self._last_name = 0
        self._hellos: dict[str, NodeHello] = {}
        self._parcels: dict[str, Parcel] = {}
        self._unconfirmed: set[str] = set()
        """Lanes that the store is being asked for: no node may hear of them yet, whatever it lists."""
        self._reasoned: set[str] = set()

    # Jobs

    def admit(self, submission: Submission) -> SubmitOutcome:
        """Queue a job; one that is known already keeps its id and is not queued again."""
        job_id = str(submission.job_id)
        if job_id in self.book.jobs:
            return Accepted(job_id)
        if reason := refusal(submission.spec, self.pool):
            return Refused(reason)
        self._sequence += 1
        job = new_job(submission, self.pool, sequence=self._sequence, grace_seconds=self._grace_seconds)
        self.book.add(job)
        self.enqueue(job)
        return Accepted(job_id)

    def restore(self, stored: Iterable[StoredJob], *, now: float) -> None:
        """Take up jobs from the store, in the order of their submission."""
        for item in sorted(stored, key=lambda item: (item.submission.submitted_at, item.submission.job_id)):
            if str(item.submission.job_id) in self.book.jobs:
                continue
            self._sequence += 1
            job = restored_job(item, self.pool, sequence=self._sequence, grace_seconds=self._grace_seconds)
            self.book.add(job)
            if item.cancelled_tasks:
                self.drop_tasks(job, TaskSet(item.cancelled_tasks), now=now)
            self.enqueue(job)
            for run in job.live.values():
                self._restore_work(run, now=now)

    def cancel(self, job_ids: Iterable[str], *, now: float) -> None:
        """Drop what waits at once; what runs is told to end."""
        for job_id in job_ids:
            job = self.book.jobs.get(job_id)
            if job is None or job.is_cancelled:
                continue
            self.queue.remove(job.entry)
            for task_index, attempt in cancel_waiting(job):
                self._show_never_ran(job, task_index, attempt, now=now)
            for node in {node for run in job.live.values() for node in run.share.nodes}:
                self.parcel(node).cancel_jobs.add(job_id)
            self.book.touch(job)

    def drop_tasks(self, job: Job, tasks: TaskSet, *, now: float) -> None:
        """Cancel some tasks of an array: what waits ends at once, what runs is told to end."""
        for task_index, attempt in drop_waiting(job, tasks):
            self._show_never_ran(job, task_index, attempt, now=now)
        if not job.entry.waiting:
            self.queue.remove(job.entry)
        for run in job.live.values():
            if run.task_index in tasks:
                self.tell_to_end(run)
        self.book.touch(job)

    def tell_to_end(self, run: Run) -> None:
        """Have its nodes cancel a run; what becomes of it then is decided when they report its end."""
        for rank, node in enumerate(run.share.nodes):
            self.parcel(node).cancel_keys.add(run_key(run, rank))

    def enqueue(self, job: Job) -> None:
        """Let what of a job waits be planned, unless it is held."""
        if job.entry.waiting and not job.held_reason:
            self.queue.add(job.entry)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Drop jobs that have ended, here and on the nodes; jobs that have not ended stay."""
        for job_id in job_ids:
            job = self.book.jobs.get(job_id)
            if job is None or job.live or job.entry.waiting:
                continue
            self.book.forget(job_id)
            for run in job.runs.values():
                for rank, node in enumerate(run.share.nodes):
                    self.parcel(node).forget_keys.add(run_key(run, rank))

    # Planning

    def draw_orders(self, limits: Mapping[LimitGroup, ConcurrentLimits], *, now: float) -> list[PlacedOrder]:
        """Decide what starts now. Nothing may be launched before `confirm`."""
        drawn = plan(self.queue, self.pool, now=now, new_slot_id=self._new_name, limits=limits)
        orders = self.floor.first_orders(drawn, self.book.jobs)
        orders += self.floor.spare_orders(self.queue, drawn, self.book.jobs, now=now, is_up=self.pool.is_up)
        self._note_reasons(drawn.reasons)
        return [self._book_order(order, now=now) for order in orders if order.tasks]

    def confirm(self, placed: Iterable[PlacedOrder], answer: Placed, *, now: float) -> None:
        """The store has spoken: launch what it accepted, take back the rest."""
        accepted = {placement.key for placement in answer.accepted}
        for item in placed:
            self._unconfirmed.discard(item.share.lane_id)
            job = item.order.job
            job_id = job.submission.job_id
            live = [run for run in item.runs if not run.has_ended]  # others went with their node meanwhile
            stands = [run for run in live if (job_id, *run.key) in accepted]
            refused = [run for run in live if (job_id, *run.key) not in accepted]
            kept = [run for run in stands if not job.held_reason and not job.is_unwanted(run.task_index)]
            for run in stands:
                if run not in kept:
                    self._end(run, RunEnd(JobState.CANCELLED, "Cancelled", ended_at=now))
            if kept:
                self._launch(job, item.share, kept, item.share.nodes)
            if refused:
                self._take_back(job, item.order.work, refused, answer.waiting.get(job_id), now=now)

    # Nodes

    def hear_hello(self, hello: NodeHello) -> None:
        """A node said what it offers."""
        known = self.pool.nodes.get(hello.node)
        before = self._hellos.get(hello.node)
        self._hellos[hello.node] = hello
        state = NodeState.DRAINING if hello.draining else NodeState.UP
        if known is None or before is None or _offer(before) != _offer(hello):
            organisation = known.organisation if known else None
            self.pool.put_node(_pool_node(hello, state, organisation))
        else:
            self.pool.set_state(hello.node, state)

    def suspend_node(self, node: str) -> None:
        """Start nothing there until it is heard again; what runs there may go on."""
        if node in self.pool.nodes:
            self.pool.set_state(node, NodeState.DOWN)

    def hear_report(self, node: str, report: RunReport) -> None:
        """A node said how a run stands. Reports may come twice, late and out of order."""
        key = RunKey.parse(report.key)
        job = self.book.jobs.get(key.job_id)
        run = job.runs.get((key.task_index, key.attempt)) if job else None
        if job is None or run is None or run.has_ended:
            if not report.has_ended:
                self.parcel(node).cancel_keys.add(report.key)
            elif job is None:
                self.parcel(node).forget_keys.add(report.key)
            return
        if report.has_ended:
            self._hear_end(run, key.rank, report)
            return
        is_doomed = any(end.state != JobState.COMPLETED for end in (run.ranks or {}).values())
        is_doomed = is_doomed or run.is_to_requeue or job.is_unwanted(run.task_index)
        if is_doomed or run.successor in job.runs:
            self.parcel(node).cancel_keys.add(report.key)
        if report.started_at is not None and run.started_at is None:
            run.state = JobState.RUNNING
            run.started_at = report.started_at
            if work := self.floor.works.get(run.share.slot):
                work.slot.ends_at = self._expected_end(work, report.started_at)
            self.book.show(run)

    def reconcile(
        self,
        node: str,
        supervisor_id: str,
        known: Collection[str],
        unsent: Collection[str],
        *,
        now: float,
    ) -> None:
        """A node listed all runs that it knows; whatever else should be there was never started or is lost.

        Args:
            node: its name.
            supervisor_id: who listed them.
            known: the keys that it listed; `hear_report` has had them all.
            unsent: lanes that are still on their way to the node.
            now: Unix seconds.
        """
        again: dict[str, list[Run]] = {}
        on_their_way = self._unconfirmed.union(unsent)
        for run in self._live_on(node):
            rank = run.share.nodes.index(node)
            if run_key(run, rank) in known and run.job.has_new_walltime:
                self.parcel(node).walltimes[run_key(run, rank)] = run.job.command.walltime_seconds
            if run_key(run, rank) in known or run.share.lane_id in on_their_way or rank in (run.ranks or ()):
                continue
            if run.share.supervisors.get(node) != supervisor_id:
                self._lose(run, rank, now=now)
            elif _is_not_to_start(run):
                self._hear_end(run, rank, _verdict(run, rank, JobState.CANCELLED, "Cancelled", now))
            else:
                run.is_to_requeue = False  # it never started, and so it need not end first
                again.setdefault(run.share.lane_id, []).append(run)
        for runs in again.values():
            self._launch(runs[0].job, runs[0].share, runs, (node,))

    def lose_node(self, node: str, *, now: float) -> None:
        """The node was silent for too long: its runs end as NODE_FAIL."""
        self.suspend_node(node)
        for run in self._live_on(node):
            self._lose(run, run.share.nodes.index(node), now=now)

    def is_up(self, node: str) -> bool:
        """Whether the node is known and was not suspended."""
        known = self.pool.nodes.get(node)
        return known is not None and known.state is not NodeState.DOWN

    def nodes_of_runs(self) -> set[str]:
        """Nodes on which something runs, heard of or not."""
        return {node for work in self.floor.works.values() for node in work.slot.gpus}

    def recall_from_slow_slots(self, *, now: float) -> None:
        """Take back what queues behind a task that turned out to be long, so that it may run elsewhere."""
        for work in self.floor.works.values():
            since = [run.started_at for run in work.runs.values() if run.started_at is not None]
            if len(work.runs) < 2 or not since or now - min(since) < LONG_SECONDS:  # noqa: PLR2004 - it and one more
                continue
            work.is_slow = True
            for run in work.runs.values():
                if run.started_at is None and not run.is_recalled:
                    run.is_recalled = True
                    for rank, node in enumerate(run.share.nodes):
                        self.parcel(node).recall_keys.add(run_key(run, rank))

    def take_parcels(self) -> dict[str, Parcel]:
        """What nodes are to be told since the last call."""
        parcels, self._parcels = self._parcels, {}
        return parcels

    # Inside

    def parcel(self, node: str) -> Parcel:
        """What this node will be told next; add to it."""
        return self._parcels.setdefault(node, Parcel())

    def _new_name(self) -> str:
        self._last_name += 1
        return f"{self._instance}.{self._last_name}"

    def _note_reasons(self, reasons: Mapping[str, str]) -> None:
        for job_id in self._reasoned - reasons.keys():
            self._note_reason(job_id, PRIORITY)
        for job_id, reason in reasons.items():
            self._note_reason(job_id, reason)
        self._reasoned = set(reasons)

    def _note_reason(self, job_id: str, reason: str) -> None:
        job = self.book.jobs.get(job_id)
        if job and job.reason != reason and job.entry.waiting and not job.held_reason:
            job.reason = reason
            self.book.touch(job)

    def _book_order(self, order: Order, *, now: float) -> PlacedOrder:
        job, work = order.job, order.work
        if not job.entry.waiting:
            self.queue.remove(job.entry)
        slot = work.slot
        hellos = self._hellos
        share = Share(
            lane_id=self._new_name(),
            slot=slot.slot_id,
            nodes=slot.nodes,
            cpus=slot.demand.cpus,
            memory_mib=slot.demand.memory_mib,
            gpus=slot.gpus,
            whole_cpus=slot.whole_cpus,
            supervisors={node: hellos[node].supervisor_id for node in slot.nodes},
        )
        self._unconfirmed.add(share.lane_id)
        runs = [Run(job, task_index, attempt, share, placed_at=now) for task_index, attempt in order.tasks]
        for run in runs:
            job.runs[run.key] = job.live[run.key] = run
            work.runs[job.job_id, *run.key] = run
        work.ordered -= len(runs)
        slot.ends_at = self._expected_end(work, now)
        return PlacedOrder(order, share, runs)

    def _expected_end(self, work: Work, since: float) -> float:
        behind = max(0, work.outstanding - 1) * self.floor.pace(work.family).mean_seconds
        return since + work.slot.demand.walltime_seconds + behind

    def _launch(self, job: Job, share: Share, runs: Iterable[Run], nodes: Iterable[str]) -> None:
        tasks = [Task(*run.key, restarts=job.restarts(*run.key)) for run in runs]
        hosts = {node: _host(self._hellos[node]) for node in share.nodes if node in self._hellos}
        lanes = lanes_of(job.submission, job.command, share, tasks, hosts=hosts)
        for node in nodes:
            self.parcel(node).lanes.append(lanes[node])

    def _take_back(self, job: Job, work: Work, runs: list[Run], reason: str | None, *, now: float) -> None:
        for run in runs:
            del job.runs[run.key], job.live[run.key], work.runs[job.job_id, *run.key]
        if job.is_cancelled:
            self.book.touch(job)  # it may be closed by this
        else:
            for run in runs:
                if job.is_unwanted(run.task_index):
                    self._show_never_ran(job, *run.key, now=now)
            back = [run.key for run in runs if not job.is_unwanted(run.task_index)]
            job.returned.extendleft(reversed(back))
            job.entry.waiting += len(back)
            job.entry.not_before = now + (MOMENT_SECONDS if reason == "" else _REFUSED_PAUSE_SECONDS)
            job.entry.rests_for = reason or BEGIN_TIME
            self.enqueue(job)
        self._close_if_done(work)

    def _restore_work(self, run: Run, *, now: float) -> None:
        share, job = run.share, run.job
        work = self.floor.works.get(share.slot)
        if work is None:
            work = Work(restored_slot(job, share, now=now), family_of(job), job.entry)
            self.floor.open(work)
            self.pool.take(work.slot)
            job.entry.holding += 1
        work.runs[job.job_id, *run.key] = run

    def _live_on(self, node: str) -> list[Run]:
        works = [work for work in self.floor.works.values() if node in work.slot.gpus]
        return [run for work in works for run in work.runs.values()]

    def _hear_end(self, run: Run, rank: int, report: RunReport) -> None:
        """A rank ended; the run ends with its last one, and its first failure ends the others."""
        nodes = run.share.nodes
        if len(nodes) == 1:
            self._end(run, end_of_report(report))
            return
        run.ranks = run.ranks or {}
        run.ranks.setdefault(rank, report)
        if len(run.ranks) == len(nodes):
            self._end(run, end_of_gang(list(run.ranks.values())))
        elif report.state != JobState.COMPLETED:
            for other, node in enumerate(nodes):
                if other not in run.ranks:
                    self.parcel(node).cancel_keys.add(run_key(run, other))

    def _lose(self, run: Run, rank: int, *, now: float) -> None:
        if rank not in (run.ranks or ()):
            self._hear_end(run, rank, _verdict(run, rank, JobState.NODE_FAIL, "NodeDown", now))

    def _end(self, run: Run, end: RunEnd) -> None:
        if not end.state.is_terminal:
            log.warning("run.unknown_end", job_id=run.job.job_id, task_index=run.task_index, raw=end.reason)
            return
        job = run.job
        never_started = run.started_at is None and end.started_at is None
        is_ours = job.is_unwanted(run.task_index) or run.is_to_requeue
        if end.state is JobState.CANCELLED and not is_ours and not never_started:
            # Nobody asked for it: we did, when we gave up its node, and a crash made us forget.
            end = replace(end, state=JobState.NODE_FAIL, reason="NodeDown")
        run.state, run.reason, run.exit_code = end.state, end.reason, end.exit_code
        run.started_at = end.started_at or run.started_at
        run.ended_at = end.ended_at
        run.cpu_seconds, run.max_rss_mib = end.cpu_seconds, end.max_rss_mib
        run.gpu_busy_seconds = end.gpu_busy_seconds
        run.ranks = None
        job.live.pop(run.key, None)
        self._requeue_if_wanted(run)
        work = self.floor.works.get(run.share.slot)
        if work:
            work.runs.pop((job.job_id, *run.key), None)
            if run.started_at is not None and end.state in {JobState.COMPLETED, JobState.FAILED}:
                self.floor.pace(work.family).learn(max(0.0, end.ended_at - run.started_at))
            work.slot.ends_at = self._expected_end(work, end.ended_at)
            work.is_slow = work.is_slow and run.started_at is None
            self._close_if_done(work)
        self.book.show(run)

    def _requeue_if_wanted(self, run: Run) -> None:
        job = run.job
        has_successor = run.successor in job.runs  # placed by a controller that could not write this end
        if not has_successor and not _is_to_run_again(run):
            return
        run.is_requeued = True
        if run.state is JobState.CANCELLED and run.started_at is not None:
            run.reason = REQUEUED
        elif run.state is JobState.CANCELLED:
            job.recalled[run.task_index] = job.recalled.get(run.task_index, 0) + 1
        if has_successor:
            return
        if run.state is JobState.BOOT_FAIL and run.ended_at is not None:
            job.entry.not_before = run.ended_at + _BOOT_FAIL_PAUSE_SECONDS
            job.entry.rests_for = BEGIN_TIME
        job.returned.append(run.successor)
        job.entry.waiting += 1
        self.enqueue(job)

    def _show_never_ran(self, job: Job, task_index: int, attempt: int, *, now: float) -> None:
        """An attempt that the portal waits for ends without a start."""
        run = Run(job, task_index, attempt, Share("", "", (), 0, 0), ended_at=now)
        run.state, run.reason = JobState.CANCELLED, "Cancelled"
        job.runs[run.key] = run
        self.book.show(run)

    def _close_if_done(self, work: Work) -> None:
        if not work.outstanding and work.slot.slot_id in self.floor.works:
            self.floor.close(work)
            self.pool.release(work.slot.slot_id)
            work.entry.holding -= 1


def run_key(run: Run, rank: int) -> str:
    """What nodes call one rank of a run."""
    return str(RunKey(run.job.job_id, run.task_index, run.attempt, rank))


def _is_not_to_start(run: Run) -> bool:
    """Whether a run that its node never heard of had better not be sent there again."""
    job = run.job
    is_taken_back = len(run.share.nodes) == 1 and (run.is_recalled or bool(job.held_reason))
    return is_taken_back or job.is_unwanted(run.task_index) or run.successor in job.runs


def _is_to_run_again(run: Run) -> bool:
    """Whether a run that ended is followed by another attempt of its task."""
    job, policy = run.job, run.job.submission.spec.requeue
    if job.is_unwanted(run.task_index):
        return False
    if run.state is JobState.CANCELLED:  # recalled before it started, or requeued
        return True
    if job.restarts(*run.key) >= policy.max_requeues:
        return False
    if run.state in {JobState.NODE_FAIL, JobState.BOOT_FAIL}:
        return policy.on_node_fail
    code = run.exit_code.code if run.exit_code else None
    return run.state is JobState.FAILED and code in policy.on_exit_codes


def _verdict(run: Run, rank: int, state: JobState, reason: str, now: float) -> RunReport:
    """An end that we conclude, for a rank that its node will not report."""
    return RunReport(
        run_key(run, rank), run.share.lane_id, state, reason, started_at=run.started_at, ended_at=now
    )


def _pool_node(hello: NodeHello, state: NodeState, organisation: str | None) -> PoolNode:
    return PoolNode(
        name=hello.node,
        cpus=hello.cpus,
        memory_mib=hello.memory_mib,
        gpus=hello.gpus,
        state=state,
        is_shared=hello.serves_several_organisations,
        organisation=organisation,
        missing_programs=frozenset(hello.missing_programs),
    )


def _offer(hello: NodeHello) -> tuple[object, ...]:
    is_shared = hello.serves_several_organisations
    return hello.cpus, hello.memory_mib, hello.gpus, is_shared, hello.missing_programs


def _host(hello: NodeHello) -> str:
    """The address of the node's Dask worker, by which other nodes reach it, too."""
    _, _, rest = hello.worker_address.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    return "127.0.0.1" if hello.worker_address.startswith("inproc") else host
