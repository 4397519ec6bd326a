"""Reports: usage, utilisation, waste, forecasts, idle grants, statements, an auditor's rows, open data.

Each can be asked for as JSON, CSV, XLSX or PDF (`format`), in Vietnamese or English (`lang`).
"""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from hpc_portal.api.one_form import Day, Flag
from hpc_portal.api.reports_schemas import OpenDataReply, OpenMonthReply, ReportReply
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.reports.audit_rows import Kind, audit_rows
from hpc_portal.app.reports.budget_forecast import forecast_budget, forecast_document
from hpc_portal.app.reports.document import Document, Edition
from hpc_portal.app.reports.idle_grants import idle_grants, idle_grants_document
from hpc_portal.app.reports.open_data import open_data
from hpc_portal.app.reports.open_data_document import open_data_document
from hpc_portal.app.reports.period import parse_month, period
from hpc_portal.app.reports.read_charges import job_charges, project_charges
from hpc_portal.app.reports.statement_document import organisation_statement, project_statement
from hpc_portal.app.reports.suppress import LEAST
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.reports.usage_document import usage_document
from hpc_portal.app.reports.utilisation import Grain, utilisation, utilisation_document
from hpc_portal.app.reports.waste import waste_document
from hpc_portal.app.reports.waste_report import report_waste
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.report_files import MEDIA_TYPES, Form, download, stream_rows
from quotas.usage_report import Dimension

router = APIRouter(tags=["reports"])

Name = Annotated[str, Query(max_length=128)]
Since = Annotated[Day | None, Query()]
Language = Annotated[Literal["vi", "en"], Query()]


AS_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or the file that `format` names",
        "content": {
            kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for kind in MEDIA_TYPES.values()
        },
    }
}
"""For the description: FastAPI knows of the JSON only."""


class Format(StrEnum):
    """What a report can be asked for as."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


class Wish:
    """In which form and language a report is wanted."""

    def __init__(
        self,
        services: PortalServices,
        format: Format = Format.JSON,  # noqa: A002 - the parameter's name in the address
        lang: Language = "en",
        table: Name = "",
        *,
        bom: Flag = False,
    ) -> None:
        self.edition = Edition(lang, services.clock.now())
        self._form = None if format is Format.JSON else Form(format.value)
        self._table, self._with_mark = table, bom

    def reply(self, document: Document) -> ReportReply | Response:
        """JSON, or a file."""
        return self.file(document) or ReportReply.of(document)

    def file(self, document: Document) -> Response | None:
        """None where JSON is wanted."""
        if self._form is None:
            return None
        return download(document, self._form, table=self._table, with_mark=self._with_mark)


Wanted = Annotated[Wish, Depends()]


class Asked:
    """Which days, cut by what, and of whom."""

    def __init__(  # noqa: PLR0913, PLR0917 - one parameter for each respect
        self,
        services: PortalServices,
        by: Annotated[list[Dimension] | None, Query(max_length=5)] = None,
        since: Since = None,
        last: Since = None,
        organisation: Name = "",
        project: Name = "",
        user: Name = "",
        cluster: Name = "",
        partition: Name = "",
        workload: Name = "",
        state: Name = "",
        gpu_type: Name = "",
    ) -> None:
        named = {
            Dimension.ORGANISATION: organisation,
            Dimension.PROJECT: project,
            Dimension.USER: user,
            Dimension.CLUSTER: cluster,
            Dimension.PARTITION: partition,
            Dimension.WORKLOAD: workload,
            Dimension.STATE: state,
            Dimension.GPU_TYPE: gpu_type,
        }
        self.query = UsageQuery(
            by=tuple(by or (Dimension.PROJECT,)),
            period=period(since, last, now=services.clock.now()),
            where={key: name for key, name in named.items() if name},
        )


Question = Annotated[Asked, Depends()]


@router.get("/reports/usage", response_model=ReportReply, responses=AS_FILE)
def usage(
    services: PortalServices, actor: CurrentActor, asked: Question, wanted: Wanted
) -> ReportReply | Response:
    """Who used what of what you may see, by up to three respects (`by=month&by=project`)."""
    with services.reading() as session:
        found = report_usage(session.connection(), actor, asked.query)
    return wanted.reply(usage_document(found, wanted.edition))


@router.get("/reports/charges", response_model=ReportReply, responses=AS_FILE)
def charges(  # noqa: PLR0913 - of what, of whom, which days
    *,
    services: PortalServices,
    actor: CurrentActor,
    project: Name,
    user: Name = "",
    since: Since = None,
    last: Since = None,
    wanted: Wanted,
) -> ReportReply | Response:
    """Every run of a project that ended on these days, and each line of its price (`table=lines`)."""
    days = period(since, last, now=wanted.edition.made_at)
    with services.reading() as session:
        return wanted.reply(project_charges(session, actor, project, days, wanted.edition, user=user))


@router.get("/jobs/{job_id}/charges", response_model=ReportReply, responses=AS_FILE)
def charges_of_a_job(
    services: PortalServices, actor: CurrentActor, job_id: UUID, wanted: Wanted
) -> ReportReply | Response:
    """Every run of a job that ended, and each line of its price (`table=lines`)."""
    with services.reading() as session:
        return wanted.reply(job_charges(session, get_job(session, actor, job_id), wanted.edition))


@router.get("/reports/waste", response_model=ReportReply, responses=AS_FILE)
def waste(
    services: PortalServices, actor: CurrentActor, asked: Question, wanted: Wanted
) -> ReportReply | Response:
    """What jobs held in vain, as far as it was measured: GPUs, CPUs and memory, in hours and in money."""
    with services.reading() as session:
        found = report_waste(session.connection(), actor, asked.query, at=wanted.edition.made_at)
    return wanted.reply(waste_document(found, wanted.edition))


@router.get("/reports/utilisation", response_model=ReportReply, responses=AS_FILE)
def cluster_utilisation(  # noqa: PLR0913 - which days, of what
    *,
    services: PortalServices,
    _actor: CurrentActor,
    wanted: Wanted,
    by: Grain = Grain.MONTH,
    since: Since = None,
    last: Since = None,
    cluster: Name = "",
) -> ReportReply | Response:
    """How much of the clusters jobs had, and how much of them was up."""
    days = period(since, last, now=services.clock.now())
    with services.reading() as session:
        found = utilisation(session.connection(), days, by, cluster)
    return wanted.reply(utilisation_document(found, days, by, wanted.edition))


@router.get("/reports/forecast", response_model=ReportReply, responses=AS_FILE)
def budget_forecast(
    services: PortalServices, actor: CurrentActor, wanted: Wanted, project: Name
) -> ReportReply | Response:
    """When each asset of a project's budget runs out, and within which range of days."""
    with services.reading() as session:
        found = forecast_budget(session.connection(), actor, project, at=wanted.edition.made_at)
    return wanted.reply(forecast_document(project, found, wanted.edition))


@router.get("/reports/idle-grants", response_model=ReportReply, responses=AS_FILE)
def grants_left_idle(services: PortalServices, actor: CurrentActor, wanted: Wanted) -> ReportReply | Response:
    """Grants of which a tenth or more could be re-granted; for administrators and auditors."""
    found = idle_grants(services, actor, at=wanted.edition.made_at)
    return wanted.reply(idle_grants_document(found, wanted.edition))


@router.get("/reports/statements/{month}", response_model=ReportReply, responses=AS_FILE)
def statement(  # noqa: PLR0913 - whose, of when
    *,
    services: PortalServices,
    actor: CurrentActor,
    wanted: Wanted,
    month: str,
    project: Name = "",
    organisation: Name = "",
) -> ReportReply | Response:
    """A month (`2026-11`) of one project, or of all projects of an organisation."""
    first = parse_month(month)
    if bool(project) == bool(organisation):
        raise InvalidEntry([Problem("project", "give a project or an organisation")])
    with services.reading() as session:
        connection = session.connection()
        if project:
            document = project_statement(connection, actor, project, month=first, edition=wanted.edition)
        else:
            document = organisation_statement(
                connection, actor, organisation, month=first, edition=wanted.edition
            )
    return wanted.reply(document)


@router.get("/reports/rows/{kind}", response_class=StreamingResponse)
def rows(  # noqa: PLR0913 - which, and how
    *,
    services: PortalServices,
    actor: CurrentActor,
    kind: Kind,
    since: Since = None,
    last: Since = None,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - the parameter's name in the address
    bom: Flag = False,
) -> StreamingResponse:
    """The rows behind the figures, as a stream; for administrators and auditors."""
    days = period(since, last, now=services.clock.now())
    found = audit_rows(services.engine, actor, kind, days)
    name = f"{kind}-{days.since}-{days.last}"
    return stream_rows(found, name, as_csv=format == "csv", with_mark=bom)


@router.get("/open-data", response_model=OpenDataReply, responses=AS_FILE)
def published(services: PortalServices, wanted: Wanted) -> OpenDataReply | Response:
    """What the city shows everybody, without signing in; 404 where it shows nothing."""
    if not services.settings.open_data:
        raise NotFound("page", "open-data")
    with services.reading() as session:
        found = open_data(session.connection())
    json = OpenDataReply(least_organisations=LEAST, months=[OpenMonthReply.of(month) for month in found])
    return wanted.file(open_data_document(found, wanted.edition)) or json
