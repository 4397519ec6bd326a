"""Runs that nobody could be charged for yet: kept with the reason, tried again, listed for administrators."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import ClusterAccount, UnclaimedRun
from quotas.tables import Project
from schedulers.external import ExternalRun
from schedulers.tres import times

_RUN = TypeAdapter(ExternalRun)
_KEY = ("cluster", "scheduler_job_id", "submitted_at")
_ROW_KEY = tuple_(col(UnclaimedRun.scheduler_job_id), col(UnclaimedRun.submitted_at))
_CHUNK = 500
_MOST_TRIED_AGAIN = 500
_MOST_LISTED = 10_000
_KEEP: dict[str, Any] = {
    name: new.on_conflict_do_update(
        index_elements=_KEY, set_={"why": new.excluded.why, "record": new.excluded.record}
    )
    for name, new in (
        ("postgresql", postgresql.insert(UnclaimedRun)),
        ("sqlite", sqlite.insert(UnclaimedRun)),
    )
}


@dataclass(frozen=True, slots=True)
class UnclaimedGroup:
    """All runs that one cluster user made under one account and that are unclaimed for one reason."""

    cluster: str
    account: str
    cluster_user: str
    why: str
    runs: int
    tres_seconds: dict[str, int]
    since: datetime
    """When the first of them was found."""


def is_news(
    connection: Connection,
    cluster: str,
    unclaimed: Sequence[tuple[ExternalRun, str]],
    claimed: Sequence[ExternalRun],
) -> bool:
    """Whether keeping the first and dropping the second would change anything that is stored."""
    stored: dict[tuple[str, datetime], tuple[str, Any]] = {}
    keys = [(run.key, run.submitted_at) for run in (*(run for run, _ in unclaimed), *claimed)]
    columns = (
        col(UnclaimedRun.scheduler_job_id),
        col(UnclaimedRun.submitted_at),
        col(UnclaimedRun.why),
        col(UnclaimedRun.record),
    )
    for start in range(0, len(keys), _CHUNK):
        found = connection.execute(
            select(*columns).where(
                col(UnclaimedRun.cluster) == cluster, _ROW_KEY.in_(keys[start : start + _CHUNK])
            )
        )
        stored |= {(row.scheduler_job_id, row.submitted_at): (row.why, row.record) for row in found}
    if any((run.key, run.submitted_at) in stored for run in claimed):
        return True
    return any(
        stored.get((run.key, run.submitted_at)) != (why, _RUN.dump_python(run, mode="json"))
        for run, why in unclaimed
        if _used_something(run)
    )


def keep_unclaimed(
    connection: Connection, cluster: str, runs: Iterable[tuple[ExternalRun, str]], *, at: datetime
) -> None:
    """Set runs aside that used something, or replace what was known of them."""
    rows = [
        {
            "cluster": cluster,
            "scheduler_job_id": run.key,
            "submitted_at": run.submitted_at,
            "account": run.account,
            "cluster_user": run.cluster_user,
            "why": why,
            "record": _RUN.dump_python(run, mode="json"),
            "found_at": at,
        }
        for run, why in runs
        if _used_something(run)
    ]
    if rows:
        connection.execute(_KEEP[connection.dialect.name], rows)


def drop_unclaimed(connection: Connection, cluster: str, runs: Sequence[ExternalRun]) -> None:
    """These are charged now, or turned out to be the portal's own."""
    for start in range(0, len(runs), _CHUNK):
        some = [(run.key, run.submitted_at) for run in runs[start : start + _CHUNK]]
        connection.execute(
            delete(UnclaimedRun).where(col(UnclaimedRun.cluster) == cluster, _ROW_KEY.in_(some))
        )


def _used_something(run: ExternalRun) -> bool:
    return run.started_at is not None and run.ended_at is not None


def runs_to_try_again(connection: Connection, cluster: str) -> list[ExternalRun]:
    """Set aside, and known people and projects by now; of very many some, by lot.

    (Were it the oldest, five hundred that can never be charged would keep all others from being tried.)
    """
    accounts = select(col(Project.account))
    users = select(col(ClusterAccount.cluster_user)).where(col(ClusterAccount.cluster) == cluster)
    rows = connection.execute(
        select(col(UnclaimedRun.record))
        .where(
            col(UnclaimedRun.cluster) == cluster,
            col(UnclaimedRun.account).in_(accounts),
            col(UnclaimedRun.cluster_user).in_(users),
        )
        .order_by(func.random())
        .limit(_MOST_TRIED_AGAIN)
    ).scalars()
    return [_RUN.validate_python(row) for row in rows]


def list_unclaimed(session: Session, actor: Actor, *, cluster: str) -> list[UnclaimedGroup]:
    """Who used what that nobody pays for, the largest groups first.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    rows = session.connection().execute(
        select(UnclaimedRun.__table__)  # type: ignore[attr-defined]
        .where(col(UnclaimedRun.cluster) == cluster)
        .order_by(col(UnclaimedRun.found_at))
        .limit(_MOST_LISTED)
    )
    groups: dict[tuple[str, str, str, str], tuple[datetime, list[ExternalRun]]] = {}
    for row in rows:
        key = (row.cluster, row.account, row.cluster_user, row.why)
        groups.setdefault(key, (row.found_at, []))[1].append(_RUN.validate_python(row.record))
    found = [UnclaimedGroup(*key, len(runs), _sum(runs), since) for key, (since, runs) in groups.items()]
    return sorted(found, key=lambda group: (-group.runs, group.account, group.cluster_user))


def _sum(runs: Iterable[ExternalRun]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(times(run.allocated_tres, run.elapsed_seconds))
    return dict(sorted(total.items()))
