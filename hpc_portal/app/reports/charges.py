"""What a project paid, run by run, each with the formula that its price came from; reads only."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select
from sqlmodel import Session, col

from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.reports.period import Period
from hpc_portal.app.tables import Job, User
from quotas.pricing import PricedLine, PriceList, price
from quotas.publish_prices import load_price_list
from quotas.set_subsidy import load_subsidy
from quotas.subsidies import Subsidy
from quotas.tables import AccountingRecord, table_of
from schedulers.jobstate import JobState
from schedulers.units import CITY_TIME

_RECORDS = table_of(AccountingRecord)
_LATER = _RECORDS.alias("later")
_PLACE = re.compile(r"/(?P<task>\d+)/(?P<attempt>\d+)$")
"""Where the key of a run tells which one of its job it is."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One run of a job, as it stands in the books by its newest revision.

    `list_vnd` is the sum of `tres_seconds / 3600 x rate_vnd_per_hour` over the lines (memory: GiB), each
    rounded once; `vnd` is what the project paid: exactly the list price less the subsidy.
    """

    id: int
    """Of the accounting record."""
    job_id: UUID
    job_name: str
    """"" for a job that is not kept any more."""
    is_array: bool
    task_index: int
    attempt: int
    user: str
    """User name of who submitted it."""
    template: str
    cluster: str
    partition: str
    state: JobState
    ended_at: datetime
    elapsed_seconds: int
    is_charged: bool
    """False where the end state is one that nobody pays for: then there are no lines."""
    lines: tuple[PricedLine, ...]
    list_vnd: int
    subsidy_vnd: int
    vnd: int
    price_list_version: int
    subsidy_basis_points: int


def list_charges(  # noqa: PLR0913 - of what, narrowed to whom, which part
    session: Session,
    actor: Actor,
    account: str,
    *,
    user: str = "",
    before: int | None = None,
    limit: int = 50,
) -> Page[Charge]:
    """Runs of a project that ended, the newest end first; the cursor is the last one's id.

    Args:
        session: to read with.
        actor: who asks.
        account: the project's.
        user: only runs of this person's jobs.
        before: the cursor of the page before; one that is none of this project's gives the first page.
        limit: how many at most.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    connection = session.connection()
    statement = _newest(_RECORDS.c.project_id == project.id).limit(limit + 1)
    if user:
        statement = statement.where(col(User.username) == user)
    if before is not None and (after := _ended_at(connection, project.id, before)):
        earlier = and_(_RECORDS.c.ended_at == after, _RECORDS.c.id < before)
        statement = statement.where(or_(_RECORDS.c.ended_at < after, earlier))
    rows: Sequence[AnyRow] = connection.execute(statement).all()
    lists, subsidies = _pinned(connection, rows[:limit])
    items = tuple(
        _charge(row, lists[row.price_list_id], subsidies[row.subsidy_rule_id]) for row in rows[:limit]
    )
    return Page(items, str(items[-1].id) if len(rows) > limit else None)


def charges_of_days(  # noqa: PLR0913 - of what, narrowed to whom, which days
    session: Session, actor: Actor, account: str, days: Period, *, user: str = "", most: int
) -> Sequence[Charge]:
    """At most so many runs of a project that ended on these days, the newest end first.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    first, after = (datetime.combine(day, time(), CITY_TIME) for day in (days.since, days.until))
    statement = _newest(_RECORDS.c.project_id == project.id).where(
        _RECORDS.c.ended_at >= first, _RECORDS.c.ended_at < after
    )
    if user:
        statement = statement.where(col(User.username) == user)
    return _charges(session, statement.limit(most))


def charges_of_job(session: Session, job_id: UUID, *, most: int) -> Sequence[Charge]:
    """At most so many runs of a job that the caller has checked to be visible, the newest end first."""
    return _charges(session, _newest(_RECORDS.c.job_id == job_id).limit(most))


def _charges(session: Session, statement: Select[Any]) -> Sequence[Charge]:
    rows: Sequence[AnyRow] = session.connection().execute(statement).all()
    lists, subsidies = _pinned(session.connection(), rows)
    return [_charge(row, lists[row.price_list_id], subsidies[row.subsidy_rule_id]) for row in rows]


def _newest(whose: ColumnElement[bool]) -> Select[Any]:
    """Runs by the newest revision of each, in the order of the project's index."""
    return (
        select(_RECORDS, col(Job.name).label("job_name"), col(Job.is_array), col(User.username))
        .outerjoin(Job, col(Job.id) == _RECORDS.c.job_id)
        .outerjoin(User, col(User.id) == _RECORDS.c.user_id)
        .where(
            whose,
            ~exists().where(_LATER.c.run_key == _RECORDS.c.run_key, _LATER.c.revision > _RECORDS.c.revision),
        )
        .order_by(_RECORDS.c.ended_at.desc(), _RECORDS.c.id.desc())
    )


def _ended_at(connection: Connection, project_id: UUID, record: int) -> datetime | None:
    found: datetime | None = connection.execute(
        select(_RECORDS.c.ended_at).where(_RECORDS.c.id == record, _RECORDS.c.project_id == project_id)
    ).scalar()
    return found


def _pinned(
    connection: Connection, rows: Iterable[AnyRow]
) -> tuple[dict[int, PriceList], dict[int | None, Subsidy]]:
    """Price lists and subsidies by their ids; most runs of a page share theirs."""
    lists: dict[int, PriceList] = {}
    subsidies: dict[int | None, Subsidy] = {}
    for row in rows:
        if row.price_list_id not in lists:
            lists[row.price_list_id] = load_price_list(connection, row.price_list_id)
        if row.subsidy_rule_id not in subsidies:
            subsidies[row.subsidy_rule_id] = load_subsidy(connection, row.subsidy_rule_id)
    return lists, subsidies


def _charge(row: AnyRow, price_list: PriceList, subsidy: Subsidy) -> Charge:
    place = _PLACE.search(row.run_key)
    lines = price(row.tres_seconds, row.partition, price_list, subsidy).lines if row.is_charged else ()
    return Charge(
        id=row.id,
        job_id=row.job_id,
        job_name=row.job_name or "",
        is_array=bool(row.is_array),
        task_index=int(place["task"]) if place else 0,
        attempt=int(place["attempt"]) if place else 0,
        user=row.username or "",
        template=row.workload,
        cluster=row.cluster,
        partition=row.partition,
        state=row.state,
        ended_at=row.ended_at,
        elapsed_seconds=row.elapsed_seconds,
        is_charged=row.is_charged,
        lines=lines,
        list_vnd=row.vnd + row.subsidy_vnd,
        subsidy_vnd=row.subsidy_vnd,
        vnd=row.vnd,
        price_list_version=price_list.version,
        subsidy_basis_points=subsidy.basis_points if row.subsidy_vnd else 0,
    )
