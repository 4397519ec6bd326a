"""What was used of what you may see, and the monthly statements."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import print_json
from hpc_portal.cli.show_report import print_report, store
from schedulers.units import CITY_TIME

FORMS = ("csv", "xlsx", "pdf")

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write a file instead: NAME.csv, NAME.xlsx or NAME.pdf.")
]


def usage(  # noqa: PLR0913 - one option for each respect
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Cut by day, month, organisation, project, user, cluster, partition, workload, state or "
            "gpu_type; up to three times. Default: month and project, with --waste project and user.",
        ),
    ] = None,
    *,
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="First day.")] = "",
    last: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Last day.")] = "",
    organisation: Annotated[str, typer.Option(help="Only of this organisation.")] = "",
    project: Annotated[str, typer.Option(help="Only of this project.")] = "",
    user: Annotated[str, typer.Option(help="Only of this person.")] = "",
    partition: Annotated[str, typer.Option(help="Only in this partition.")] = "",
    gpu_type: Annotated[str, typer.Option("--gpu-type", help="Only on this type of GPU.")] = "",
    waste: Annotated[
        bool,
        typer.Option(
            "--waste", help="What jobs held and did not use, in hours and money, and who left most."
        ),
    ] = False,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Show what was used and what it cost, of everything that you may see."""
    parameters = {
        "by": by or (["project", "user"] if waste else ["month", "project"]),
        "since": since or None,
        "last": last or None,
        "organisation": organisation or None,
        "project": project or None,
        "user": user or None,
        "partition": partition or None,
        "gpu_type": gpu_type or None,
    }
    _tell("/reports/waste" if waste else "/reports/usage", parameters, output, as_json=as_json)


def statement(
    month: Annotated[str, typer.Argument(metavar="[YYYY-MM]", help="Default: this month.")] = "",
    *,
    project: Annotated[
        str, typer.Option("--project", envvar="HPC_PROJECT", help="Of this project; default: your only one.")
    ] = "",
    organisation: Annotated[str, typer.Option(help="Of all projects of this organisation.")] = "",
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Show a month's statement: opening, grants, charges, refunds, expiry, closing."""
    first = month or f"{datetime.now(UTC).astimezone(CITY_TIME):%Y-%m}"
    account = project if project or organisation else _only_project()
    parameters = {"project": account or None, "organisation": organisation or None}
    _tell(f"/reports/statements/{first}", parameters, output, as_json=as_json)


def form_of(path: Path) -> str:
    """The form that a file's name asks for.

    Raises:
        UsageProblem: none that reports have.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMS:
        raise UsageProblem(_("{path} must end in .csv, .xlsx or .pdf.", path=path))
    return form


def _tell(path: str, parameters: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    form = form_of(output) if output else None
    with open_portal() as portal:
        if output and form:
            content = portal.download(path, **parameters, lang=active(), format=form)
            store(content, output)
            return
        report = portal.get(path, **parameters, lang=active())
    if as_json:
        print_json(report)
    else:
        print_report(report)


def _only_project() -> str:
    with open_portal() as portal:
        accounts = [item["account"] for item in portal.get("/projects")["items"] if item["role"]]
    if len(accounts) != 1:
        raise UsageProblem(_("Give --project: you are in several projects, or in none."))
    return str(accounts[0])
