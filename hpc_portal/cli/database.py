"""`hpc-portal db`: the database's tables."""

import time
from typing import Annotated

import structlog
import typer

from hpc_portal.app.schema import TablesInUse, upgrade
from hpc_portal.app.telemetry.readiness import OK, ReadinessCheck
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.render import err

log = structlog.get_logger(__name__)

database = typer.Typer(no_args_is_help=True, help="The portal's database.")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the tables to this version; does nothing when they are."""
    configure_log()
    try:
        upgrade(load_settings())
    except TablesInUse as problem:
        raise CliError(
            _(
                "A table is in use by a long transaction: the upgrade gave up and changed nothing. "
                "Run it again; if it fails again, look in pg_stat_activity for who has been busy longest."
            )
        ) from problem
    err.print(_("The database is up to date."))


@database.command("wait")
def wait_for_database(
    seconds: Annotated[int, typer.Option(min=1, help="Give up after so long.")] = 600,
) -> None:
    """Wait until somebody else has brought the tables to this version, and the database answers."""
    configure_log()
    settings = load_settings()
    engine = build_engine(settings)
    check = ReadinessCheck(engine, settings)
    began, told = time.monotonic(), ""
    while True:
        found = check.look()
        if found.checks["database"] == found.checks["schema"] == OK:
            engine.dispose()
            err.print(_("The database is up to date."))
            return
        problem = "; ".join(f"{name}: {said}" for name, said in found.checks.items() if said != OK)
        if time.monotonic() - began > seconds:
            raise CliError(_("The database is not ready: {problem}", problem=problem))
        if problem != told:  # each look would say the same
            log.info("database.not_ready", problem=problem)
            told = problem
        time.sleep(1)
