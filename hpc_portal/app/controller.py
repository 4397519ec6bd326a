"""The controller: wins the lease of a cluster, then runs the loops that move jobs until it is told to stop.

Any number of controllers may run; one is active, the others wait for its lease to end. Loops wake each
other: what dispatch hands over, track follows; what track sees ending, settle charges.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from hpc_portal.app import cluster_views, leases, outages, standbys
from hpc_portal.app.accounting.check_step import CHECK_SECONDS, CheckBooksStep
from hpc_portal.app.budgets.budget_step import BUDGET_SECONDS, BudgetStep
from hpc_portal.app.campaigns.collect import CollectStep
from hpc_portal.app.clock import Clock
from hpc_portal.app.db import process_name, transact
from hpc_portal.app.jobs.cancel import CancelStep
from hpc_portal.app.jobs.carry_changes import ChangeStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.dependencies import give_up_hopeless, resolve_dependencies
from hpc_portal.app.jobs.dispatch import dispatch_once, take_over_claims
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.jobs.tell_owners import TELL_SECONDS, TellOwnersStep
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.leases import HeldLease, LeaseLost, SeenLease
from hpc_portal.app.loops import Loop, run_loop
from hpc_portal.app.mirror.in_force import BudgetsInForce
from hpc_portal.app.outages import OutageWatch
from hpc_portal.app.reports.watch_capacity import WATCH_SECONDS, WatchCapacityStep
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import ClusterPart
from hpc_portal.app.tenants.tenant_step import TENANT_SECONDS, TenantStep
from hpc_portal.app.wake import WakeListener
from schedulers.errors import SchedulerBroken, SchedulerUnavailable
from schedulers.protocol import Feature, Scheduler

log = structlog.get_logger()

T = TypeVar("T")

_PAUSE_SECONDS = 1.0
"""Between two turns, and between two tries for the lease."""
_WATCH_SECONDS = 30.0
_TRACK_REST_SECONDS = 0.01
_QUICK_LOOKS = 0.3
"""The part of the longest pause that lies between two short looks: people watch their jobs end."""
_REPORT_EVERY = 5
"""Intervals between two looks at the nodes of a cluster that has to be asked for each of them."""
_CORRECT_EVERY_SECONDS = 3600.0
_CORRECT_REST_SECONDS = 1.0
"""Between two batches: corrections are never urgent."""
_SETTLE_REST_SECONDS = 0.1
"""Money may be a moment late; a hundred runs settled at once cost little more than one."""

_COLLECT_REST_SECONDS = 0.3
"""Results are read in batches: reading them one by one would cost a transaction and an event each."""


def _attach_nothing(_context: ControllerContext) -> None:
    """For backends that keep nothing in the portal's database."""


def _no_loops(_context: ControllerContext) -> Sequence[Loop]:
    return ()


@dataclass(frozen=True, slots=True)
class ControllerParts:
    """What controller_wiring.py builds a controller from."""

    cluster: str
    """Its name."""
    settings: Settings
    engine: Engine
    clock: Clock
    wake: WakeListener
    make_scheduler: Callable[[], Scheduler]
    """A fresh backend, not started; asked for each time the lease is won."""
    attach: Callable[[ControllerContext], None] = _attach_nothing
    """Tells the backend's store under which lease it writes."""
    enforces_budgets: bool = False
    """The cluster itself is told budgets; a job goes there once its own is known there."""
    more_loops: Callable[[ControllerContext], Sequence[Loop]] = _no_loops
    """What only this kind of cluster has to have done; they run beside the others."""


async def run_controller(
    parts: ControllerParts, stop: asyncio.Event, *, on_ready: Callable[[], None] | None = None
) -> None:
    """Be active whenever the lease is free, until `stop` is set; then finish the steps under way.

    `on_ready` is called each time that this controller becomes active and its scheduler has started.
    """
    told = ""
    while not stop.is_set():
        lease = await _win_lease(parts, stop)
        if lease is None:
            return
        log.info("controller.active", cluster=parts.cluster)
        try:
            await _serve(parts, lease, stop, on_ready)
        except* LeaseLost:
            log.warning("controller.lease_lost", cluster=parts.cluster)
        except* SchedulerUnavailable as problems:
            problem = str(problems.exceptions[0])
            if problem != told:  # each try would say the same
                log.warning("controller.scheduler_unavailable", cluster=parts.cluster, problem=problem)
            told = problem
            await _note_outage(parts, problem)
        except* SchedulerBroken as problems:
            problem = str(problems.exceptions[0])
            log.critical("controller.scheduler_broken", cluster=parts.cluster, problem=problem)
        except* OperationalError as problems:
            log.warning("controller.database_unavailable", problem=str(problems.exceptions[0]))
        finally:
            with contextlib.suppress(OperationalError):  # then it ends by itself
                await _write(parts, functools.partial(leases.release, lease=lease))
        await _sleep(_PAUSE_SECONDS, stop)


async def _win_lease(parts: ControllerParts, stop: asyncio.Event) -> HeldLease | None:
    """Wait for the lease; None when `stop` came first."""
    name = f"controller:{parts.cluster}"
    holder = process_name()
    seconds = parts.settings.lease_seconds
    seen: SeenLease | None = None
    say_at = 0.0

    def attempt(connection: Connection) -> HeldLease | None:
        nonlocal seen, say_at
        now = parts.clock.now()
        seen = leases.look(connection, name, seen)
        leases.end_sessions_of_expired(connection, name, holder=holder, now=now, seconds=seconds, seen=seen)
        lease = leases.acquire(connection, name, holder=holder, now=now, seconds=seconds, seen=seen)
        if lease:
            standbys.stop_standing_by(connection, name, holder=holder)
        elif time.monotonic() >= say_at:
            standbys.say_standing_by(connection, name, holder=holder, at=now)
            say_at = time.monotonic() + standbys.SAY_EVERY_SECONDS
        return lease

    while not stop.is_set():
        try:
            if lease := await _write(parts, attempt):
                return lease
        except OperationalError as problem:
            log.warning("controller.database_unavailable", problem=str(problem))
        await _sleep(min(_PAUSE_SECONDS, seconds / 10), stop)
    return None


async def _serve(
    parts: ControllerParts, lease: HeldLease, stop: asyncio.Event, on_ready: Callable[[], None] | None
) -> None:
    """One turn: from a lease that was won to its loss or to `stop`."""
    scheduler = parts.make_scheduler()
    context = ControllerContext(
        engine=parts.engine,
        clock=parts.clock,
        scheduler=scheduler,
        lease=lease,
        workspace_root=parts.settings.effective_workspace_root,
        cluster_uid_base=parts.settings.cluster_uid_base,
        needs_accounts=parts.cluster in parts.settings.clusters_with_accounts,
        budgets=BudgetsInForce() if parts.enforces_budgets else None,
    )
    parts.attach(context)
    watch = OutageWatch(context)
    loops = _loops(context, watch, parts.settings.track_interval_seconds, stop)
    try:
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(_keep_lease(parts, lease))]
            await scheduler.start()
            await take_over_claims(context)
            await loops.report.step()
            helpers.append(group.create_task(_pass_on_changes(scheduler, loops)))
            helpers.append(group.create_task(_pass_on_wake_ups(parts.wake, loops)))
            if on_ready:
                on_ready()
            await asyncio.gather(
                *(
                    group.create_task(run_loop(loop, stop), name=loop.name)
                    for loop in (*loops.all, *_slow_loops(context, stop), *parts.more_loops(context))
                )
            )
            for helper in helpers:
                helper.cancel()
    finally:
        await scheduler.close()


@dataclass(frozen=True, slots=True)
class _Loops:
    dispatch: Loop
    cancel: Loop
    change: Loop
    track: Loop
    settle: Loop
    collect: Loop
    report: Loop
    looked: asyncio.Event
    """Set by each look at the scheduler: it has told all changes up to there."""

    @property
    def all(self) -> tuple[Loop, ...]:
        return (
            *(self.dispatch, self.cancel, self.change, self.track),
            *(self.settle, self.collect, self.report),
        )


def _loops(context: ControllerContext, watch: OutageWatch, interval: float, stop: asyncio.Event) -> _Loops:
    """The loops of one turn, waking each other."""
    tracker = Tracker()

    async def dispatch() -> bool:
        has_more = await resolve_dependencies(context)
        has_more |= await dispatch_once(context, stop)
        if await give_up_hopeless(context):
            loops.cancel.wake.set()
        if context.tracked.has_fresh:
            loops.track.wake.set()
        return has_more

    async def track() -> bool:
        try:
            seen = await track_once(context, tracker)
        finally:
            loops.looked.set()
        if seen.runs_ended or seen.jobs_ended:
            loops.settle.wake.set()
            loops.collect.wake.set()
        if seen.jobs_ended:
            loops.dispatch.wake.set()
        return False

    async def cancel() -> bool:
        result = await cancel_step()
        loops.settle.wake.set()
        return result

    async def report() -> bool:
        await _report_cluster(context)
        return False

    settle = watch.decides(ClusterPart.ACCOUNTING, SettleStep(context))
    pushes = Feature.PUSHES_CHANGES in context.scheduler.features
    report_interval = interval if pushes else interval * _REPORT_EVERY
    cancel_step = CancelStep(context)
    loops = _Loops(
        dispatch=Loop("dispatch", watch.endures(dispatch), interval),
        cancel=Loop("cancel", watch.endures(cancel), interval),
        change=Loop("change", watch.endures(ChangeStep(context)), interval),
        track=Loop(
            "track",
            watch.endures(track),
            interval,
            rest_seconds=_TRACK_REST_SECONDS,
            least_pause_seconds=None if pushes else interval * _QUICK_LOOKS,
        ),
        settle=Loop("settle", settle, interval, rest_seconds=_SETTLE_REST_SECONDS),
        collect=Loop("collect", CollectStep(context), interval, rest_seconds=_COLLECT_REST_SECONDS),
        report=Loop("report", watch.decides(ClusterPart.SCHEDULER, report), report_interval),
        looked=asyncio.Event(),
    )
    return loops


def _correction(context: ControllerContext) -> Sequence[Loop]:
    """A scheduler that is its own meter revises nothing."""
    if Feature.METERS_USAGE in context.scheduler.features:
        return ()
    step = CorrectStep(context)
    return (Loop("correct", step, _CORRECT_EVERY_SECONDS, rest_seconds=_CORRECT_REST_SECONDS),)


def _slow_loops(context: ControllerContext, stop: asyncio.Event) -> Sequence[Loop]:
    """What has no hurry and wakes nobody."""
    watch = Loop("watch_capacity", WatchCapacityStep(context), WATCH_SECONDS)
    books = Loop("check_books", CheckBooksStep(context, stop), CHECK_SECONDS)
    budgets = Loop("budgets", BudgetStep(context), BUDGET_SECONDS)
    tenants = Loop("tenants", TenantStep(context), TENANT_SECONDS)
    owners = Loop("tell_owners", TellOwnersStep(context), TELL_SECONDS)
    return (*_correction(context), watch, books, budgets, tenants, owners)


async def _report_cluster(context: ControllerContext) -> None:
    snapshot = await context.scheduler.cluster()
    await context.write(lambda connection: cluster_views.save(connection, snapshot))


async def _keep_lease(parts: ControllerParts, lease: HeldLease) -> None:
    """Renew until cancelled; LeaseLost from here ends the whole turn at once.

    While the database is out of reach nobody else can take the lease either, and nothing can be written.
    A thread of its own does it, so that it waits for none of the many writes that others have to do.
    """
    seconds = parts.settings.lease_seconds

    def renew(connection: Connection) -> None:
        leases.renew(connection, lease, now=parts.clock.now(), seconds=seconds)

    own = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lease")
    try:
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                await asyncio.get_running_loop().run_in_executor(own, transact, parts.engine, renew)
            except OperationalError as problem:
                log.warning("controller.lease_not_renewed", problem=str(problem))
    finally:
        own.shutdown(wait=False)


async def _pass_on_changes(scheduler: Scheduler, loops: _Loops) -> None:
    while True:
        if await scheduler.wait_for_change(_WATCH_SECONDS):
            loops.looked.clear()
            loops.track.wake.set()
            await loops.looked.wait()


async def _pass_on_wake_ups(wake: WakeListener, loops: _Loops) -> None:
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(wake.listen(event))
        while True:
            await event.wait()
            event.clear()
            loops.dispatch.wake.set()
            loops.cancel.wake.set()
            loops.change.wake.set()


async def _note_outage(parts: ControllerParts, problem: str) -> None:
    """The scheduler did not even let us start."""
    now = parts.clock.now()
    with contextlib.suppress(OperationalError):  # the pages then say that nothing was heard for long
        await _write(
            parts,
            lambda connection: outages.begin(
                connection, parts.cluster, ClusterPart.SCHEDULER, problem, at=now
            ),
        )


async def _write(parts: ControllerParts, work: Callable[[Connection], T]) -> T:
    return await asyncio.to_thread(transact, parts.engine, work)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
