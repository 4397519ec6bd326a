"""Who is in a project or an organisation, who leads it, and who is invited."""

from typing import Annotated, Any

import typer

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, instant, out, print_json, table

members = typer.Typer(no_args_is_help=True, help="Members of a project or an organisation.")
invitations = typer.Typer(no_args_is_help=True, help="Invitations that were sent.")

InProject = Annotated[str, typer.Option("--project", help="In this project.")]
InOrganisation = Annotated[str, typer.Option("--org", help="In this organisation.")]
InvitationId = Annotated[str, typer.Argument(metavar="ID", help="As `hpc invitations list` shows it.")]


@members.command("list")
def list_members(project: InProject = "", org: InOrganisation = "", *, as_json: Json = False) -> None:
    """Show who is in a project or an organisation."""
    with open_portal() as portal:
        found = portal.get(f"{_place(project, org)}/members")["items"]
    if as_json:
        print_json(found)
        return
    columns = (_("User name"), _("Name"), _("Role"))
    out.print(table(columns, [(one["username"], one["display_name"], one["role"]) for one in found]))


@members.command("set")
def set_member(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Whose place it is.")],
    role: Annotated[
        str, typer.Option("--role", help="lead or member of a project, manager or member; none ends it.")
    ],
    project: InProject = "",
    org: InOrganisation = "",
) -> None:
    """Change a member's role, or end their membership."""
    with open_portal() as portal:
        portal.put(f"{_place(project, org)}/members/{username}", {"role": None if role == "none" else role})
    err.print(_("{name} is {role} of {where} now.", name=username, role=role, where=project or org))


@members.command("hand-over")
def hand_over(
    successor: Annotated[str, typer.Argument(metavar="USERNAME", help="A member, who leads it then.")],
    former: Annotated[
        str, typer.Option("--from", help="Who leads it until then; default: you, or the only one.")
    ] = "",
    project: InProject = "",
    org: InOrganisation = "",
) -> None:
    """Make another member the lead of a project, or the manager of an organisation, in one's stead."""
    with open_portal() as portal:
        portal.post(f"{_place(project, org)}/hand-over", {"successor": successor, "former": former})
    err.print(_("{name} leads {where} now.", name=successor, where=project or org))


def invite(
    emails: Annotated[list[str], typer.Argument(metavar="EMAIL...", help="Whom to invite.")],
    project: InProject = "",
    org: InOrganisation = "",
    role: Annotated[str, typer.Option("--role", help="As what: member, lead or manager.")] = "member",
    *,
    as_json: Json = False,
) -> None:
    """Invite people by e-mail; the links are shown once, for where mail does not arrive."""
    with open_portal() as portal:
        found = portal.post(f"{_place(project, org)}/invitations", {"emails": emails, "role": role})["items"]
    if as_json:
        print_json(found)
        return
    for one in found:
        _show_link(one)


@invitations.command("list")
def list_invitations(project: InProject = "", org: InOrganisation = "", *, as_json: Json = False) -> None:
    """Show invitations that were not revoked, newest first."""
    with open_portal() as portal:
        found = portal.get(f"{_place(project, org)}/invitations")["items"]
    if as_json:
        print_json(found)
        return
    columns = ("ID", _("Address"), _("Role"), _("Sent"), _("Good until"), _("Accepted by"))
    rows = [
        (
            one["id"],
            one["email"],
            one["role"],
            instant(one["sent_at"]),
            instant(one["expires_at"]),
            one["accepted_by"],
        )
        for one in found
    ]
    out.print(table(columns, rows))


@invitations.command("resend")
def resend(invitation: InvitationId) -> None:
    """Send an invitation again with a new link; the old one is good no more."""
    with open_portal() as portal:
        _show_link(portal.post(f"/invitations/{invitation}/resend"))


@invitations.command("revoke")
def revoke(invitation: InvitationId) -> None:
    """Make an invitation's link good for nothing."""
    with open_portal() as portal:
        portal.delete(f"/invitations/{invitation}")
    err.print(_("The link is good for nothing now."))


def _show_link(invited: dict[str, Any]) -> None:
    if invited["link"]:
        out.print(f"{invited['email']}  {invited['link']}", soft_wrap=True)
    else:
        err.print(_("{email} was invited a moment ago; nothing was sent again.", email=invited["email"]))


def _place(project: str, org: str) -> str:
    if bool(project) == bool(org):
        raise UsageProblem(_("Give either --org or --project."))
    return f"/projects/{project}" if project else f"/organisations/{org}"
