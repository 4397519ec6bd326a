"""Who used what: by any of the respects that roll-ups tell apart, of what the asking person may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
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
from quotas.usage_report import Dimension, Usage, usage_totals
from workloads.template import N_

MOST_DIMENSIONS = 3
MOST_DAYS_BY_DAY = 400
MOST_ROWS = 20_000

GROUPS = tuple(one for one in Dimension if one is not Dimension.ALLOCATION)
"""What a report may be cut by; allocations have no name that people know."""
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


def report_usage(connection: Connection, actor: Actor, query: UsageQuery) -> UsageReport:
    """Sums from the roll-ups; days and months in their order, everything else by its cost.

    Raises:
        InvalidEntry: too many respects, too many days one by one, or more lines than anybody reads.
        NotFound: a filter names what does not exist, or what the actor may not see.
    """
    _require_answerable(query)
    tenants = visible_tenants(connection, actor)
    found = usage_totals(
        connection,
        by=query.by,
        since=query.period.since,
        until=query.period.until,
        where=_where(connection, tenants, query.where),
    )
    if len(found) > MOST_ROWS:
        text = N_("gives %(rows)s lines; at most %(most)s are shown. Ask for fewer days or fewer respects")
        raise InvalidEntry([Problem("by", text, {"rows": len(found), "most": MOST_ROWS})])
    people = names_of_people(
        connection, {one.of[Dimension.USER] for one in found if Dimension.USER in one.of}
    )
    rows = [
        UsageRow({key: _name(key, value, tenants, people) for key, value in one.of.items()}, one.usage)
        for one in found
    ]
    return UsageReport(query, _in_order(rows, query.by), add_up(rows), tenants.sees_all)


def add_up(rows: Sequence[UsageRow]) -> Usage:
    """The sum of all lines."""
    return Usage(**{item.name: sum(getattr(row.usage, item.name) for row in rows) for item in fields(Usage)})


def _require_answerable(query: UsageQuery) -> None:
    if len(set(query.by)) != len(query.by) or len(query.by) > MOST_DIMENSIONS:
        text = N_("must name at most %(most)s different respects")
        raise InvalidEntry([Problem("by", text, {"most": MOST_DIMENSIONS})])
    if Dimension.DAY in query.by and query.period.days > MOST_DAYS_BY_DAY:
        text = N_("day by day, at most %(most)s days are shown. Ask by month, or for fewer days")
        raise InvalidEntry([Problem("since", text, {"most": MOST_DAYS_BY_DAY})])


def _where(
    connection: Connection, tenants: Tenants, named: Mapping[Dimension, str]
) -> dict[Dimension, object]:
    """The filter with ids for names, never wider than what the person may see."""
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


def _name(
    key: Dimension, value: str | date | UUID, tenants: Tenants, people: Mapping[UUID, str]
) -> str | date:
    """An id by its name; "" for somebody or something that is not there any more."""
    if not isinstance(value, UUID):
        return value
    names = {Dimension.PROJECT: tenants.projects, Dimension.ORGANISATION: tenants.organisations}
    return names.get(key, people).get(value, "")


def _in_order(rows: list[UsageRow], by: Sequence[Dimension]) -> list[UsageRow]:
    times = [key for key in by if key in {Dimension.DAY, Dimension.MONTH}]
    rows.sort(key=lambda row: [str(row.of[key]) for key in by])
    rows.sort(key=lambda row: (row.usage.vnd, row.usage.gpu_seconds, row.usage.cpu_seconds), reverse=True)
    rows.sort(key=lambda row: [str(row.of[key]) for key in times])
    return rows
