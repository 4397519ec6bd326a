"""The command: every look, one line each; exit code 1 when something is wrong."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.doctor.data import look_at_data
from hpc_portal.cli.doctor.files import look_at_machine
from hpc_portal.cli.doctor.finding import Finding, Level, wrong
from hpc_portal.cli.doctor.network import look_at_network
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json

_MARKS = {
    Level.WELL: "[green]✓[/green]",
    Level.DOUBT: "[yellow]![/yellow]",
    Level.WRONG: "[red]✗[/red]",
}


def doctor(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not walk through the whole ledger and audit log.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at settings, database, clocks, controllers, clusters, folders and books; say what is wrong.

    Changes nothing. Exit code 1 when something is wrong.
    """
    findings = []
    for finding in _looks(load_settings(), quick=quick):
        findings.append(finding)
        if not as_json:
            out.print(f"{_MARKS[finding.level]} [bold]{finding.about}[/bold]  ", end="")
            out.print(finding.said, markup=False, highlight=False)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.level is Level.WRONG for finding in findings):
        raise typer.Exit(Exit.FAILED)
    if not as_json:
        out.print(_("Nothing is wrong."))


def _looks(settings: Settings, *, quick: bool) -> Iterator[Finding]:
    yield from look_at_machine(settings)
    if settings.database_url or _is_there(settings.state_dir / "portal.db"):
        engine = build_engine(settings)
        try:
            yield from look_at_data(settings, engine, quick=quick)
        finally:
            engine.dispose()
    else:
        missing = _("There is none in {path}: run hpc-portal db upgrade.", path=settings.state_dir)
        yield wrong(_("Database"), missing)
    yield from look_at_network(settings)


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except PermissionError:  # the look at the folder says so
        return False
