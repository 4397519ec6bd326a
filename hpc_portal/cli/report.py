"""`hpc-portal report`: every report of the city, printed or as files, by whoever runs the portal."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.errors import InvalidEntry, PortalError
from hpc_portal.app.reports.audit_rows import Kind, audit_rows
from hpc_portal.app.reports.budget_forecast import forecast_budget, forecast_document
from hpc_portal.app.reports.document import Document, Edition
from hpc_portal.app.reports.files.to_csv import write_csv
from hpc_portal.app.reports.files.to_pdf import write_pdf
from hpc_portal.app.reports.files.to_xlsx import write_xlsx
from hpc_portal.app.reports.idle_grants import idle_grants, idle_grants_document
from hpc_portal.app.reports.open_data import open_data as published_months
from hpc_portal.app.reports.open_data_document import open_data_document
from hpc_portal.app.reports.period import Period, parse_day, parse_month, period
from hpc_portal.app.reports.statement_document import organisation_statement, project_statement
from hpc_portal.app.reports.usage import GROUPS, UsageQuery, report_usage
from hpc_portal.app.reports.usage_document import usage_document
from hpc_portal.app.reports.utilisation import Grain, utilisation_document
from hpc_portal.app.reports.utilisation import utilisation as supplied
from hpc_portal.app.reports.waste import waste_document
from hpc_portal.app.reports.waste_report import report_waste
from hpc_portal.app.services import Services
from hpc_portal.app.wiring import build_services
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.say_refusal import refused
from hpc_portal.cli.show_report import print_document, store
from hpc_portal.cli.usage import Output, form_of
from quotas.usage_report import Dimension

report = typer.Typer(
    no_args_is_help=True, help="Reports of the whole city, on the terminal or as CSV, XLSX and PDF."
)

By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        help="day, month, organisation, project, user, cluster, partition, workload, state or gpu_type; up "
        "to three times.",
    ),
]
Since = Annotated[str, typer.Option("--since", metavar="YYYY-MM-DD", help="First day.")]
Last = Annotated[str, typer.Option("--last", metavar="YYYY-MM-DD", help="Last day.")]


class RowFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSON = "json"


@report.command()
def statement(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month.")],
    *,
    project: Annotated[str, typer.Option("--project", help="Of this project.")] = "",
    organisation: Annotated[str, typer.Option("--organisation", help="Of this organisation.")] = "",
    output: Output = None,
) -> None:
    """A month's statement of a project, or of all projects of an organisation."""
    if bool(project) == bool(organisation):
        raise UsageProblem(_("Give --project or --organisation."))
    with _portal() as (services, edition):
        first = parse_month(month)
        with services.reading() as session:
            connection = session.connection()
            if project:
                found = project_statement(connection, OPERATOR, project, month=first, edition=edition)
            else:
                found = organisation_statement(
                    connection, OPERATOR, organisation, month=first, edition=edition
                )
        _tell(found, output)


@report.command()
def usage(by: By = None, *, since: Since = "", last: Last = "", output: Output = None) -> None:
    """Who used what, and what it cost."""
    with _portal() as (services, edition):
        query = UsageQuery(_dimensions(by, "month", "organisation"), _days(since, last, edition), {})
        with services.reading() as session:
            found = report_usage(session.connection(), OPERATOR, query)
        _tell(usage_document(found, edition), output)


@report.command()
def waste(by: By = None, *, since: Since = "", last: Last = "", output: Output = None) -> None:
    """What jobs held and did not use, in hours and in money, as far as it was measured."""
    with _portal() as (services, edition):
        query = UsageQuery(_dimensions(by, "project"), _days(since, last, edition), {})
        with services.reading() as session:
            found = report_waste(session.connection(), OPERATOR, query, at=edition.made_at)
        _tell(waste_document(found, edition), output)


@report.command()
def utilisation(
    by: Annotated[Grain, typer.Option("--by", help="Line by line: days or months.")] = Grain.MONTH,
    *,
    since: Since = "",
    last: Last = "",
    output: Output = None,
) -> None:
    """How much of the clusters jobs had, and how much of them was up."""
    with _portal() as (services, edition):
        days = _days(since, last, edition)
        with services.reading() as session:
            found = supplied(session.connection(), days, by)
        _tell(utilisation_document(found, days, by, edition), output)


@report.command()
def forecast(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Its account name.")],
    *,
    output: Output = None,
) -> None:
    """When each asset of a project's budget runs out, and within which range of days."""
    with _portal() as (services, edition):
        with services.reading() as session:
            found = forecast_budget(session.connection(), OPERATOR, project, at=edition.made_at)
        _tell(forecast_document(project, found, edition), output)


@report.command("idle-grants")
def grants_left_idle(*, output: Output = None) -> None:
    """Grants of which a tenth or more could be re-granted."""
    with _portal() as (services, edition):
        found = idle_grants(services, OPERATOR, at=edition.made_at)
        _tell(idle_grants_document(found, edition), output)


@report.command("open-data")
def open_data(*, output: Output = None) -> None:
    """What everybody would see, whether the setting open_data is on or not."""
    with _portal() as (services, edition):
        with services.reading() as session:
            found = published_months(session.connection())
        _tell(open_data_document(found, edition), output)


@report.command()
def rows(
    kind: Annotated[Kind, typer.Argument(help="What an auditor asks for.")],
    *,
    since: Since = "",
    last: Last = "",
    form: Annotated[RowFormat, typer.Option("--format", help="How they are written.")] = RowFormat.CSV,
) -> None:
    """Write the rows behind the figures to standard output, however many there are."""
    with _portal() as (services, edition):
        found = audit_rows(services.engine, OPERATOR, kind, _days(since, last, edition))
        for line in found.as_csv() if form is RowFormat.CSV else found.as_json():
            sys.stdout.write(line)


@contextlib.contextmanager
def _portal() -> Iterator[tuple[Services, Edition]]:
    """The portal's database; what it refuses becomes this command's error."""
    services = build_services(load_settings())
    try:
        yield services, Edition(active(), services.clock.now())
    except InvalidEntry as error:
        raise UsageProblem(_("Some values are wrong:"), refused(error).fields) from error
    except PortalError as error:
        raise refused(error) from error
    finally:
        services.commits.close()
        services.engine.dispose()


def _days(since: str, last: str, edition: Edition) -> Period:
    first: date | None = parse_day(since, "since")
    now: datetime = edition.made_at
    return period(first, parse_day(last, "last"), now=now)


def _dimensions(by: list[str] | None, *default: str) -> tuple[Dimension, ...]:
    names = by or list(default)
    unknown = [name for name in names if name not in set(GROUPS)]
    if unknown:
        message = _("--by knows no {name}. Choose from: {known}.", name=unknown[0], known=", ".join(GROUPS))
        raise UsageProblem(message)
    return tuple(Dimension(name) for name in names)


def _tell(document: Document, output: Path | None) -> None:
    if output is None:
        print_document(document)
        return
    match form_of(output):
        case "csv":
            store(write_csv(document.tables[0], with_mark=True).encode(), output)
        case "xlsx":
            store(write_xlsx(document), output)
        case _:
            store(write_pdf(document), output)
