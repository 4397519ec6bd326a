"""Service accounts of a project: what a pipeline submits as, and its tokens."""

from typing import Annotated

import typer

from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, instant, out, print_json, table

service_accounts = typer.Typer(no_args_is_help=True, help="Service accounts of a project, for pipelines.")

Project = Annotated[str, typer.Option("--project", help="Of this project.")]
Service = Annotated[str, typer.Argument(metavar="NAME", help="Its user name, such as ci@npu.")]
TokenId = Annotated[str, typer.Argument(metavar="TOKEN_ID", help="As `hpc service-accounts list` shows it.")]


@service_accounts.command("list")
def list_services(project: Project, *, as_json: Json = False) -> None:
    """Show a project's service accounts, who answers for them, and their tokens."""
    with open_portal() as portal:
        found = portal.get(f"/projects/{project}/service-accounts")["items"]
    if as_json:
        print_json(found)
        return
    columns = (_("Name"), _("What for"), _("Owners"), _("Good until"), _("Last used"), _("Over"))
    rows = [
        (
            one["username"],
            one["purpose"],
            ", ".join(one["owners"]),
            instant(one["expires_at"]),
            instant(one["last_used_at"]),
            one["over"] or "",
        )
        for one in found
    ]
    out.print(table(columns, rows))
    tokens = [(one["username"], token) for one in found for token in one["tokens"] if token["is_good"]]
    if tokens:
        columns = (_("Token of"), "ID", _("Name"), _("Good for"), _("Good until"), _("Last used"))
        lines = [
            (
                name,
                token["id"],
                token["name"],
                token["scope"],
                instant(token["expires_at"]),
                instant(token["last_used_at"]),
            )
            for name, token in tokens
        ]
        out.print(table(columns, lines))


@service_accounts.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its part of the user name, such as ci.")],
    project: Project,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for.")],
    owner: Annotated[
        list[str] | None, typer.Option("--owner", help="Who answers for it; default: you. Repeat it.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="Good for so long.")] = 365,
) -> None:
    """Create a service account; it has no password, and works in this project only."""
    body = {"name": name, "purpose": purpose, "owners": owner or [], "valid_days": days}
    with open_portal() as portal:
        made = portal.post(f"/projects/{project}/service-accounts", body)
    err.print(_("{name} exists now; issue a token: hpc service-accounts token", name=made["username"]))


@service_accounts.command("change")
def change(
    service: Service,
    project: Project,
    purpose: Annotated[str | None, typer.Option("--purpose", help="What it is for.")] = None,
    owner: Annotated[
        list[str] | None, typer.Option("--owner", help="Who answers for it, all of them. Repeat it.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=365, help="Good for so long from now on.")
    ] = None,
) -> None:
    """Change who answers for it, what it is for, or how long it is good."""
    body = {"purpose": purpose, "owners": owner or None, "valid_days": days}
    with open_portal() as portal:
        portal.patch(f"/projects/{project}/service-accounts/{service}", body)
    err.print(_("{name} was changed.", name=service))


@service_accounts.command("end")
def end(service: Service, project: Project) -> None:
    """End a service account and its tokens for good; its jobs go on."""
    with open_portal() as portal:
        portal.delete(f"/projects/{project}/service-accounts/{service}")
    err.print(_("{name} and its tokens have ended.", name=service))


@service_accounts.command("token")
def issue(
    service: Service,
    project: Project,
    name: Annotated[str, typer.Option("--name", help="What will use it.")],
    scope: Annotated[str, typer.Option("--scope", help="jobs, or read to look only.")] = "jobs",
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="Good for so long.")] = 90,
) -> None:
    """Issue a token and print it; it is shown only now."""
    body = {"name": name, "scope": scope, "valid_days": days}
    with open_portal() as portal:
        token = portal.post(f"/projects/{project}/service-accounts/{service}/tokens", body)
    _print_token(token)


@service_accounts.command("rotate")
def rotate(
    service: Service,
    token: TokenId,
    project: Project,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=168, help="The old one stays good for so long.")
    ] = 24,
) -> None:
    """Issue a token in an old one's stead, and print it; it is shown only now."""
    with open_portal() as portal:
        new = portal.post(
            f"/projects/{project}/service-accounts/{service}/tokens/{token}/rotate",
            {"overlap_hours": overlap_hours},
        )
    _print_token(new)


@service_accounts.command("revoke")
def revoke(service: Service, token: TokenId, project: Project) -> None:
    """End a token for good."""
    with open_portal() as portal:
        portal.delete(f"/projects/{project}/service-accounts/{service}/tokens/{token}")
    err.print(_("The token is good for nothing now."))


def _print_token(token: dict[str, str]) -> None:
    """The secret alone on standard output, so that a script can keep it."""
    err.print(_("Good until {instant}. It is shown only now:", instant=instant(token["expires_at"])))
    out.print(token["token"], soft_wrap=True)
