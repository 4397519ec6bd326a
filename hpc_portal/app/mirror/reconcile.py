"""Make a cluster's accounts and budgets as the portal wants them, and remember what others changed."""

import asyncio
import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeAlias

import structlog
from sqlalchemy import Connection, Engine, insert, select, update
from sqlmodel import col

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.mirror.wanted import read_untracked, read_wanted
from hpc_portal.app.tables import MirrorDrift, MirrorState
from schedulers.errors import SchedulerRefused, SchedulerUnavailable, SubmitUncertain
from schedulers.mirror import (
    Change,
    ClusterAccounts,
    Difference,
    QuotaMirror,
    after,
    all_differences,
    diff,
    in_the_way,
)

log = structlog.get_logger()

_BATCH = 100
_LOOK_EVERY = timedelta(minutes=1)
"""In between, only what the portal itself wants to be different is sent."""
_Place: TypeAlias = tuple[str, str]
"""Subject and field of a difference."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one pass found and did."""

    changes: Sequence[Change]
    """That were made."""
    refused: Sequence[str]
    """What the cluster would not do, in its own words."""
    seen: ClusterAccounts
    """As it is now."""


async def reconcile(mirror: QuotaMirror, wanted: ClusterAccounts, seen: ClusterAccounts) -> Reconciled:
    """Make every change that is needed; one that is refused stops none of the others.

    Raises:
        SchedulerUnavailable, SubmitUncertain: some changes may have been made; look again.
    """
    refused: list[tuple[Change, str]] = []
    changes = diff(wanted, seen)
    for _, group in groupby(changes, key=type):
        alike = list(group)
        for start in range(0, len(alike), _BATCH):
            refused += await _apply(mirror, alike[start : start + _BATCH])
    not_made = [change for change, _ in refused]
    made = [change for change in changes if change not in not_made]
    texts = [f"{all_differences([change])[0].subject}: {reason}" for change, reason in refused]
    return Reconciled(made, texts, after(seen, made))


async def _apply(mirror: QuotaMirror, changes: Sequence[Change]) -> list[tuple[Change, str]]:
    """Make them together; where one is refused, by halves, until it stands alone. The refused ones."""
    try:
        await mirror.apply(changes)
    except SchedulerRefused as refusal:
        if len(changes) == 1:
            return [(changes[0], refusal.reason)]
        middle = len(changes) // 2
        return [*await _apply(mirror, changes[:middle]), *await _apply(mirror, changes[middle:])]
    return []


async def look(
    engine: Engine, cluster: str, mirror: QuotaMirror, *, at: datetime
) -> tuple[ClusterAccounts, ClusterAccounts]:
    """What the cluster should have, and what it has.

    Raises:
        SchedulerUnavailable: it does not say.
    """

    def read() -> ClusterAccounts:
        with engine.connect() as connection:
            return read_wanted(connection, cluster, known=seen.tres, at=at)

    seen = await mirror.seen()
    return await asyncio.to_thread(read), seen


class MirrorStep:
    """The controller's mirror of one cluster."""

    def __init__(self, context: ControllerContext, mirror: QuotaMirror) -> None:
        self._context = context
        self._mirror = mirror
        self._cluster = context.scheduler.name
        self._left: ClusterAccounts | None = None
        """As the last pass left it."""
        self._looked_at: datetime | None = None

    async def __call__(self) -> bool:
        """One pass; never more to do at once.

        Raises:
            LeaseLost: another controller is active.
        """
        now = self._context.clock.now()
        try:
            await self._pass(now)
        except (SchedulerUnavailable, SubmitUncertain) as problem:
            self._left = None
            log.warning("mirror.unavailable", cluster=self._cluster, problem=str(problem))
            await self._context.write(
                functools.partial(_save_state, cluster=self._cluster, at=None, problem=str(problem))
            )
        return False

    async def _pass(self, now: datetime) -> None:
        before = self._left
        seen, has_looked = before, False
        if seen is None or self._looked_at is None or now - self._looked_at >= _LOOK_EVERY:
            seen, has_looked = await self._mirror.seen(), True
            self._looked_at = now
        wanted = await self._context.read(
            functools.partial(read_wanted, cluster=self._cluster, known=seen.tres, at=now)
        )
        drifted = _drift(wanted, before, seen) if before is not None and has_looked else []
        done = await reconcile(self._mirror, wanted, seen)
        if done.changes:
            log.info("mirror.applied", cluster=self._cluster, changes=len(done.changes))
        self._left = done.seen if not done.refused else None
        if self._context.budgets is not None:
            self._context.budgets.note(done.seen)
        if has_looked or done.changes or done.refused:
            untracked = await self._context.read(functools.partial(read_untracked, known=seen.tres, at=now))
            standing = [*standing_differences(wanted, done.seen), *untracked]
            await self._context.write(
                functools.partial(self._save, done=done, drifted=drifted, standing=standing, at=now)
            )

    def _save(
        self,
        connection: Connection,
        *,
        done: Reconciled,
        drifted: Sequence[Difference],
        standing: Sequence[Difference],
        at: datetime,
    ) -> None:
        _save_state(
            connection,
            cluster=self._cluster,
            at=at,
            applied=bool(done.changes),
            problem="; ".join(done.refused),
        )
        _save_drift(connection, self._cluster, drifted, standing, at=at)


def standing_differences(wanted: ClusterAccounts, seen: ClusterAccounts) -> list[Difference]:
    """What is not as wanted and cannot be made so."""
    blocked = [
        Difference(f"{kind} {name}", "", "the portal's", "somebody else's")
        for kind, name in in_the_way(wanted, seen)
    ]
    return [*all_differences(diff(wanted, seen)), *blocked]


def _drift(wanted: ClusterAccounts, before: ClusterAccounts, seen: ClusterAccounts) -> list[Difference]:
    """What is not as wanted because somebody else changed it: it was otherwise when the last pass ended."""
    touched = _places(all_differences(diff(before, seen)))
    return [one for one in all_differences(diff(wanted, seen)) if (one.subject, one.field) in touched]


def _places(differences: Iterable[Difference]) -> set[_Place]:
    return {(one.subject, one.field) for one in differences}


def _save_state(
    connection: Connection, *, cluster: str, at: datetime | None, problem: str, applied: bool = False
) -> None:
    """`at` None: nothing could be looked at, and what is known gets older."""
    facts: dict[str, object] = {"problem": problem}
    if at is not None:
        facts["checked_at"] = at
    if applied:
        facts["applied_at"] = at
    is_it = col(MirrorState.cluster) == cluster
    if connection.execute(update(MirrorState).where(is_it).values(facts)).rowcount == 0 and at is not None:
        connection.execute(insert(MirrorState).values(cluster=cluster, **facts))


def _save_drift(
    connection: Connection,
    cluster: str,
    drifted: Collection[Difference],
    standing: Collection[Difference],
    *,
    at: datetime,
) -> None:
    """Open rows are exactly what stands; what was put right at once is kept as corrected."""
    rows = connection.execute(
        select(
            col(MirrorDrift.id), col(MirrorDrift.subject), col(MirrorDrift.field), col(MirrorDrift.found)
        ).where(col(MirrorDrift.cluster) == cluster, col(MirrorDrift.corrected_at).is_(None))
    ).all()
    still = {(one.subject, one.field): one for one in standing}
    for row in rows:
        now = still.pop((row.subject, row.field), None)
        values = {"corrected_at": at} if now is None else {"wanted": now.wanted, "found": now.found}
        connection.execute(update(MirrorDrift).where(col(MirrorDrift.id) == row.id).values(values))
    known = {(row.subject, row.field) for row in rows}
    corrected = [one for one in drifted if (one.subject, one.field) not in known | _places(standing)]
    new = [(one, None) for one in still.values()] + [(one, at) for one in corrected]
    if new:
        connection.execute(
            insert(MirrorDrift),
            [
                {
                    "cluster": cluster,
                    "subject": one.subject,
                    "field": one.field,
                    "wanted": one.wanted,
                    "found": one.found,
                    "since": at,
                    "corrected_at": corrected_at,
                }
                for one, corrected_at in new
            ],
        )
