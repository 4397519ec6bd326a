"""`hpc-portal license`: licences that are kept for projects."""

from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.licenses.reserve import reserve_licenses
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.render import out

licenses = typer.Typer(no_args_is_help=True, help="Licences that are kept for projects.")


@licenses.command("reserve")
def reserve(
    feature: str,
    project: str,
    count: Annotated[int, typer.Argument(min=0, help="How many; 0 keeps none.")],
) -> None:
    """Keep licences of a feature for one project's jobs on the portal's own cluster."""
    with operator_services() as services:
        before = reserve_licenses(services, OPERATOR, feature=feature, project=project, count=count)
    out.print(
        _(
            "{feature}: {count} kept for {project}, {before} before.",
            feature=feature,
            count=count,
            project=project,
            before=before,
        )
    )
