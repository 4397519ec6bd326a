"""`hpc-portal limit`: set and list limits of every level on the machine itself."""

from dataclasses import asdict

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.limits.queries import set_limits
from hpc_portal.app.limits.set import change_limit
from hpc_portal.app.limits.target import Target
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.limits import (
    Everybody,
    GpuType,
    KindArgument,
    OfOrganisation,
    OfProject,
    OfUser,
    Reason,
    ValueArgument,
    level_of,
    say_what_was,
    set_table,
    value_of,
)
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json

limit = typer.Typer(no_args_is_help=True, help="How much somebody may use at once, or ask for in one job.")


@limit.command("list")
def list_set(*, as_json: Json = False) -> None:
    """List every limit that was set."""
    with operator_services() as services, services.engine.connect() as connection:
        found = [
            {**asdict(item), "set_at": item.set_at.isoformat()} for item in set_limits(connection, OPERATOR)
        ]
    if as_json:
        print_json(found)
    else:
        out.print(set_table(found))


@limit.command("set")
def set_one(  # noqa: PLR0913 - one argument for each option
    kind: KindArgument,
    value: ValueArgument,
    *,
    organisation: OfOrganisation = "",
    project: OfProject = "",
    user: OfUser = "",
    everybody: Everybody = None,
    gpu_type: GpuType = "",
    reason: Reason = "",
) -> None:
    """Set a limit, or take it away with `none`; the smallest of all levels holds."""
    target = Target(
        level_of(organisation=organisation, project=project, user=user, everybody=everybody),
        organisation=organisation,
        project=project,
        user=user,
        everybody=everybody is not None,
    )
    wanted = value_of(kind, value)
    with operator_services() as services:
        was = change_limit(
            services, OPERATOR, target, kind=kind, value=wanted, gpu_type=gpu_type, reason=reason
        )
    say_what_was(kind, was)
