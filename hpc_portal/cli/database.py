"""`hpc-portal db`: the database's tables."""

import typer

from hpc_portal.app.schema import upgrade
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.render import err

database = typer.Typer(no_args_is_help=True, help="The portal's database.")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the tables to this version; does nothing when they are."""
    configure_log()
    upgrade(load_settings())
    err.print(_("The database is up to date."))
