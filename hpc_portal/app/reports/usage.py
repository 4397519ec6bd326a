"""Who used what: by any of the respects that roll-ups tell apart, of what the asking person may see."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache, partial
from operator import attrgetter, sub
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.scope import (
    Tenants,
    find_organisation,
    find_people,
    find_project,
    names_of_people,
    visible_tenants,
)
from quotas.storage_report import StorageUsed, storage_used
from quotas.usage_report import MEASURES, Dimension, Usage, UsageTotal, usage_totals
from workloads.template import N_

MOST_DIMENSIONS = 3
MOST_DAYS_BY_DAY = 400
MOST_ROWS = 20_000

GROUPS = tuple(one for one in Dimension if one is not Dimension.ALLOCATION)
"""What a report may be cut by; allocations have no name that people know."""
_AMOUNTS = attrgetter(*(item.name for item in fields(Usage)))
_TENANTS = {Dimension.ORGANISATION, Dimension.PROJECT}
_TIMES = {Dimension.DAY, Dimension.MONTH}
_FILTERS = (
    *(Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER, Dimension.CLUSTER),
    *(Dimension.PARTITION, Dimension.WORKLOAD, Dimension.STATE, Dimension.GPU_TYPE),
)


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What is asked: cut by what, when, and of whom."""

    by: tuple[Dimension, ...]
    period: Period
    where: Mapping[Dimension, str]
    """Names: an organisation's slug, a project's account, a user name, a partition, ..."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One line: what of, by name, and how much."""

    of: Mapping[Dimension, str | date]
    usage: Usage


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The answer, with the sum of all lines."""

    query: UsageQuery
    rows: Sequence[UsageRow]
    total: Usage
    covers_all: bool
    """Whether the asking person sees the whole city."""
    stored: Sequence[tuple[Mapping[Dimension, str | date], StorageUsed]] = ()
    """What lay in workspaces, where the report tells apart nothing but organisations or projects."""
    rest: Usage | None = None
    """What lines that are not told used, where only the dearest were asked for and there are others."""


def report_usage(
    connection: Connection, actor: Actor, query: UsageQuery, *, most: int | None = None
) -> UsageReport:
    """Sums from the roll-ups; days and months in their order, everything else by its cost.

    With `most`, only so many lines are told, and the others in one sum: what a page shows, and far less work
    than all of them. Days and months are told one by one all the same.

    Raises:
        InvalidEntry: too many respects, too many days one by one, or more lines than anybody reads.
        NotFound: a filter names what does not exist, or what the actor may not see.
    """
    require_answerable(query)
    return report_of(connection, visible_tenants(connection, actor), query, most=most)


def report_of(
    connection: Connection,
    tenants: Tenants,
    query: UsageQuery,
    *,
    most: int | None = None,
    measures: Sequence[str] = MEASURES,
) -> UsageReport:
    """The same for whoever sees these tenants, of a query that can be answered, with these measures alone.

    Raises:
        InvalidEntry: more lines than anybody reads.
        NotFound: a filter names what does not exist, or what is not among the tenants.
    """
    ask = partial(asking(connection, tenants, query), measures=measures)
    is_cut = most is not None and not _TIMES.intersection(query.by)
    found = ask(by=query.by, most=most if is_cut else None)
    if len(found) > MOST_ROWS:
        text = N_("gives %(rows)s lines; at most %(most)s are shown. Ask for fewer days or fewer respects")
        raise InvalidEntry([Problem("by", text, {"rows": len(found), "most": MOST_ROWS})])
    rows = named(connection, tenants, found)
    told = add_up(row.usage for row in rows)
    total = add_up(one.usage for one in ask(by=())) if is_cut else told
    rest = None if told == total else subtract(total, told)
    stored = _stored(connection, tenants, query)
    return UsageReport(query, _in_order(rows, query.by), total, tenants.sees_all, stored, rest)


def asking(connection: Connection, tenants: Tenants, query: UsageQuery) -> Callable[..., list[UsageTotal]]:
    """`usage_totals` of the query's days and filters; by what, and which sums, is left to say.

    Raises:
        NotFound: a filter names what does not exist, or what is not among the tenants.
    """
    where = matching(connection, tenants, query.where)
    return partial(usage_totals, connection, since=query.period.since, until=query.period.until, where=where)


def named(connection: Connection, tenants: Tenants, found: Sequence[UsageTotal]) -> list[UsageRow]:
    """With names for ids; "" for somebody or something that is not there any more."""
    people = names_of_people(
        connection, {one.of[Dimension.USER] for one in found if Dimension.USER in one.of}
    )
    respects = found[0].of if found else ()
    name_of = {key: cache(partial(_name, key, tenants=tenants, people=people)) for key in respects}
    return [UsageRow({key: name_of[key](value) for key, value in one.of.items()}, one.usage) for one in found]


def _stored(
    connection: Connection, tenants: Tenants, query: UsageQuery
) -> list[tuple[Mapping[Dimension, str | date], StorageUsed]]:
    """By name; nothing for a report that asks for anything else of jobs: storage has no user or partition."""
    asked = {*query.by, *query.where}
    if query.by not in {(Dimension.ORGANISATION,), (Dimension.PROJECT,)} or asked - _TENANTS:
        return []
    (by,) = query.by
    projects = set(tenants.projects)
    if account := query.where.get(Dimension.PROJECT):
        projects &= {find_project(tenants, account)}
    if slug := query.where.get(Dimension.ORGANISATION):
        owner = find_organisation(tenants, slug)
        projects = {one for one in projects if tenants.project_organisations[one] == owner}
    found = storage_used(
        connection,
        since=query.period.since,
        until=query.period.until,
        by_organisation=by is Dimension.ORGANISATION,
        projects=None if tenants.sees_all and not query.where else projects,
    )
    lines = [({by: _name(by, one, tenants=tenants, people={})}, used) for one, used in found.items()]
    return sorted(lines, key=lambda line: (-line[1].byte_days, str(line[0][by])))


def add_up(several: Iterable[Usage]) -> Usage:
    """Their sum."""
    return Usage(*(sum(amounts) for amounts in zip(*map(_AMOUNTS, several), strict=True)))


def subtract(whole: Usage, part: Usage) -> Usage:
    """What is left of it."""
    return Usage(*map(sub, _AMOUNTS(whole), _AMOUNTS(part)))


def matching(
    connection: Connection, tenants: Tenants, named: Mapping[Dimension, str]
) -> dict[Dimension, object]:
    """The filter with ids for names, never wider than what the person may see.

    Raises:
        InvalidEntry: it narrows by what is no filter.
        NotFound: it names what does not exist, or what the person may not see.
    """
    where = tenants.where
    for key, name in named.items():
        match key:
            case Dimension.PROJECT:
                where[key] = find_project(tenants, name)
            case Dimension.ORGANISATION:
                where[key] = find_organisation(tenants, name)
            case Dimension.USER:
                where[key] = find_people(connection, tenants, name)
            case _ if key in _FILTERS:
                where[key] = name
            case _:
                raise InvalidEntry([Problem(key.value, "is no filter; give the first and last day instead")])
    return where


def require_answerable(query: UsageQuery) -> None:
    """Refuse what nobody could read.

    Raises:
        InvalidEntry: too many respects, or too many days one by one.
    """
    if len(set(query.by)) != len(query.by) or len(query.by) > MOST_DIMENSIONS:
        text = N_("must name at most %(most)s different respects")
        raise InvalidEntry([Problem("by", text, {"most": MOST_DIMENSIONS})])
    if Dimension.DAY in query.by and query.period.days > MOST_DAYS_BY_DAY:
        text = N_("day by day, at most %(most)s days are shown. Ask by month, or for fewer days")
        raise InvalidEntry([Problem("since", text, {"most": MOST_DAYS_BY_DAY})])


def _name(
    key: Dimension, value: str | date | UUID, *, tenants: Tenants, people: Mapping[UUID, str]
) -> str | date:
    if not isinstance(value, UUID):
        return value
    names = {Dimension.PROJECT: tenants.projects, Dimension.ORGANISATION: tenants.organisations}
    return names.get(key, people).get(value, "")


def _in_order(rows: list[UsageRow], by: Sequence[Dimension]) -> list[UsageRow]:
    times = [key for key in by if key in _TIMES]
    rows.sort(key=lambda row: [str(row.of[key]) for key in by])
    rows.sort(key=lambda row: (row.usage.vnd, row.usage.gpu_seconds, row.usage.cpu_seconds), reverse=True)
    rows.sort(key=lambda row: [str(row.of[key]) for key in times])
    return rows
