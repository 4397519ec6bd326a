"""One look at an organisation: its projects with what they have left and used this month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.reports.period import Period, local_day, months_before
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.tenants.city_projects import CityProject, list_organisation_projects
from hpc_portal.app.tenants.queries import OrganisationDetails, get_organisation
from quotas.usage_report import Dimension, Usage


@dataclass(frozen=True, slots=True)
class OrganisationOverview:
    """Of the projects that the asking person may see."""

    details: OrganisationDetails
    projects: Sequence[CityProject]
    month: date
    """The first of this month."""
    used: Mapping[str, Usage]
    """In this month, by the account of a project that used anything."""
    total: Usage


def organisation_overview(session: Session, actor: Actor, slug: str, *, at: datetime) -> OrganisationOverview:
    """For the people of an organisation and those who see all.

    Raises:
        NotFound: there is none, or the actor does not belong to it.
    """
    details = get_organisation(session, actor, slug)
    projects = list_organisation_projects(session, actor, details.id, at=at)
    today = local_day(at)
    month = Period(months_before(today, 0), months_before(today, -1) - timedelta(days=1))
    used: dict[str, Usage] = {}
    total = Usage()
    if projects:
        query = UsageQuery((Dimension.PROJECT,), month, {Dimension.ORGANISATION: slug})
        report = report_usage(session.connection(), actor, query)
        used = {str(row.of[Dimension.PROJECT]): row.usage for row in report.rows}
        total = report.total
    return OrganisationOverview(details, projects, month.since, used, total)
