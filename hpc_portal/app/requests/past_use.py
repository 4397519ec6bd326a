"""What a project and its organisation used in the last months, for whoever decides about more of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection

from quotas.usage_report import Dimension, Usage, usage_totals
from schedulers.units import CITY_TIME

_MONTHS = 6
_IN_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class MonthOfUse:
    """One month; the last one is not over."""

    month: date
    """Its first day."""
    project: Usage
    organisation: Usage


def past_use(
    connection: Connection, *, project_id: UUID, organisation_id: UUID, at: datetime
) -> tuple[MonthOfUse, ...]:
    """The last six months, the present one in front, from the roll-ups; months without use are there too."""
    today = at.astimezone(CITY_TIME).date()
    months = [_months_ago(today, back) for back in range(_MONTHS)]
    until = _months_ago(today, -1)

    def used(dimension: Dimension, value: UUID) -> Mapping[date, Usage]:
        found = usage_totals(
            connection, by=[Dimension.MONTH], since=months[-1], until=until, where={dimension: value}
        )
        return {total.of[Dimension.MONTH]: total.usage for total in found}

    project = used(Dimension.PROJECT, project_id)
    organisation = used(Dimension.ORGANISATION, organisation_id)
    return tuple(
        MonthOfUse(month, project.get(month, Usage()), organisation.get(month, Usage())) for month in months
    )


def _months_ago(today: date, back: int) -> date:
    year, month = divmod(today.year * _IN_A_YEAR + today.month - 1 - back, _IN_A_YEAR)
    return date(year, month + 1, 1)
