"""`hpc-portal end-rules`: which ends of runs are paid for."""

from dataclasses import asdict
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.budgets.end_rules import WantedRule, decide_end_rule, read_end_rules
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from schedulers.jobstate import JobState

end_rules = typer.Typer(no_args_is_help=True, help="Which ends of runs are paid for.")

_SECONDS_PER_HOUR = 3600


@end_rules.command("list")
def list_(*, as_json: Json = False) -> None:
    """List every end, whether it is charged, and how much of it is given back at once."""
    with operator_services() as services, services.reading() as session:
        found = read_end_rules(session, OPERATOR)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (
            one.state.value,
            _("charged") if one.is_charged else _("free"),
            "" if one.free_seconds_per_job is None else f"{one.free_seconds_per_job / _SECONDS_PER_HOUR:g} h",
        )
        for one in found
    ]
    out.print(table((_("State"), _("Rule"), _("Given back, for each job")), rows, right=(2,)))


@end_rules.command("set")
def set_(
    state: Annotated[str, typer.Argument(metavar="STATE", help="Such as NODE_FAIL.")],
    *,
    charged: Annotated[bool, typer.Option("--charged/--free", help="Whether it is paid for.")],
    give_back_hours: Annotated[
        int | None,
        typer.Option("--give-back-hours", min=0, help="Of a charged end: up to so much for each job."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept for good.")],
) -> None:
    """Decide for runs that are settled from now on; what was charged stays."""
    try:
        end = JobState(state.upper())
    except ValueError as error:
        raise UsageProblem(_("{text} is no state such as NODE_FAIL.", text=state)) from error
    seconds = None if give_back_hours is None else give_back_hours * _SECONDS_PER_HOUR
    with operator_services() as services:
        decide_end_rule(services, OPERATOR, WantedRule(end, charged, seconds), reason=reason)
    err.print(_("Done."))
