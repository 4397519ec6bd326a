"""What the operator does with tenants once they exist: list, suspend, resume, close, hand over, invite."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.change_state import (
    JobsThen,
    StateChange,
    StateChanged,
    change_organisation_state,
    change_project_state,
)
from hpc_portal.app.tenants.hand_over import HandOver, hand_over_organisation, hand_over_project
from hpc_portal.app.tenants.invite import Invitees, invite
from hpc_portal.app.tenants.queries import list_tenants
from hpc_portal.cli.accounts import member, operator_services, organisation, project
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from quotas.amounts import format_amount
from quotas.money import VND
from quotas.tables import TenantState

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The organisation's short name.")]
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The project's name on the cluster.")]
Reason = Annotated[str, typer.Option("--reason", help="Its people read it.")]
Jobs = Annotated[JobsThen, typer.Option("--jobs", help="What becomes of the jobs that are there.")]


@organisation.command("list")
def list_all(*, as_json: Json = False) -> None:
    """Show every organisation with its state, people and use."""
    with operator_services() as services, services.reading() as session:
        found = list_tenants(session, OPERATOR)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    columns = (
        *(_("Organisation"), _("Kind"), _("State"), _("Projects"), _("Members"), _("Jobs")),
        *(_("Granted"), _("Used"), _("Left")),
    )
    rows = [
        (
            item.slug,
            item.kind.value,
            item.state.value,
            item.projects,
            item.members,
            item.jobs_under_way,
            *(format_amount(VND, vnd) for vnd in (item.granted_vnd, item.used_vnd, item.available_vnd)),
        )
        for item in found
    ]
    out.print(table(columns, rows, right=(3, 4, 5, 6, 7, 8)))


@organisation.command("suspend")
def suspend_organisation(slug: Slug, reason: Reason, jobs: Jobs = JobsThen.KEEP) -> None:
    """Stop all submissions of an organisation at once; what runs goes on unless --jobs says otherwise."""
    _change(slug, StateChange(TenantState.SUSPENDED, reason, jobs), change_organisation_state)


@organisation.command("resume")
def resume_organisation(slug: Slug, reason: Reason = "") -> None:
    """Let an organisation submit again."""
    _change(slug, StateChange(TenantState.ACTIVE, reason), change_organisation_state)


@organisation.command("close")
def close_organisation(slug: Slug, reason: Reason, jobs: Jobs = JobsThen.KEEP) -> None:
    """Close an organisation for good; what has not started is cancelled, what runs goes on."""
    _change(slug, StateChange(TenantState.CLOSED, reason, jobs), change_organisation_state)


@project.command("suspend")
def suspend_project(account: Account, reason: Reason, jobs: Jobs = JobsThen.KEEP) -> None:
    """Stop all submissions of a project at once; what runs goes on unless --jobs says otherwise."""
    _change(account, StateChange(TenantState.SUSPENDED, reason, jobs), change_project_state)


@project.command("resume")
def resume_project(account: Account, reason: Reason = "") -> None:
    """Let a project submit again."""
    _change(account, StateChange(TenantState.ACTIVE, reason), change_project_state)


@project.command("close")
def close_project(account: Account, reason: Reason, jobs: Jobs = JobsThen.KEEP) -> None:
    """Close a project for good; what has not started is cancelled, what runs goes on."""
    _change(account, StateChange(TenantState.CLOSED, reason, jobs), change_project_state)


@member.command("hand-over")
def hand_over(
    successor: Annotated[str, typer.Argument(metavar="USERNAME", help="A member, who leads it then.")],
    former: Annotated[
        str, typer.Option("--from", help="Who leads it until then; default: the only one who does.")
    ] = "",
    org: Annotated[str, typer.Option("--org", help="In this organisation.")] = "",
    account: Annotated[str, typer.Option("--project", help="In this project.")] = "",
) -> None:
    """Make another member the lead of a project, or the manager of an organisation."""
    if bool(org) == bool(account):
        raise UsageProblem(_("Give either --org or --project."))
    wanted = HandOver(successor, former)
    with operator_services() as services:
        if org:
            hand_over_organisation(services, OPERATOR, org, wanted)
        else:
            hand_over_project(services, OPERATOR, account, wanted)
    err.print(_("{name} leads {where} now.", name=successor, where=account or org))


def invite_people(
    emails: Annotated[list[str], typer.Argument(metavar="EMAIL...", help="Whom to invite.")],
    org: Annotated[str, typer.Option("--org", help="In this organisation.")] = "",
    account: Annotated[str, typer.Option("--project", help="In this project.")] = "",
    role: Annotated[str, typer.Option("--role", help="As what: member, lead or manager.")] = "member",
) -> None:
    """Invite people by e-mail; the links are shown once, for where mail does not arrive."""
    with operator_services() as services:
        found = invite(services, OPERATOR, Invitees(emails, role, organisation=org, project=account))
    for one in found:
        out.print(f"{one.email}  {one.link}".rstrip(), soft_wrap=True)


def _change(
    name: str,
    wanted: StateChange,
    change: Callable[[Services, Actor, str, StateChange], StateChanged],
) -> None:
    with operator_services() as services:
        done = change(services, OPERATOR, name, wanted)
    facts = {"name": name, "state": wanted.state.value}
    err.print(
        _("{name} is {state} now.", **facts) if done.is_new else _("{name} was {state} already.", **facts)
    )
    if done.jobs_cancelled:
        err.print(_("Jobs that are being cancelled: {count}", count=done.jobs_cancelled))
