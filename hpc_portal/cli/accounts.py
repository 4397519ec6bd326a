"""People, organisations, projects and budgets, set up by whoever may run `hpc-portal` on the machine."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, TypeVar
from uuid import uuid4

import typer

from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.create_organisation import create_organisation
from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_cluster_accounts
from hpc_portal.app.accounts.reset_second_factor import reset_second_factor
from hpc_portal.app.accounts.secret import new_password
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.errors import PortalError
from hpc_portal.app.requests.amounts import unit_of
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, OrganisationRole, ProjectRole
from hpc_portal.app.wiring import build_services
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.passwords import read_password
from hpc_portal.cli.render import err, out, print_json, table
from hpc_portal.cli.request import parse_assignment
from hpc_portal.cli.say_refusal import refused
from quotas.errors import QuotaError
from quotas.money import VND
from quotas.tables import OrganisationKind

R = TypeVar("R", bound=StrEnum)


user = typer.Typer(no_args_is_help=True, help="People who sign in.")
organisation = typer.Typer(no_args_is_help=True, help="Organisations: the tenants.")
project = typer.Typer(no_args_is_help=True, help="Projects: who pays for jobs.")
member = typer.Typer(no_args_is_help=True, help="Who is what in an organisation or project.")


@user.command("add")
def add_user(  # noqa: PLR0913 - one argument for each option
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="What they sign in with.")],
    name: Annotated[str, typer.Option("--name", help="Their name, for people.")],
    email: Annotated[str, typer.Option("--email", help="Their address.")] = "",
    role: Annotated[
        GlobalRole | None, typer.Option("--role", help="Over the whole portal; most people have none.")
    ] = None,
    cluster_user: Annotated[
        str, typer.Option("--cluster-user", help="The account that their jobs run as.")
    ] = "",
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Create a person; the password is asked for, or read from HPC_PASSWORD."""
    password = read_password(from_stdin=password_stdin, confirm=True)
    new = NewUser(
        username=username,
        display_name=name,
        password=password,
        email=email,
        global_role=role,
        cluster_user=cluster_user,
    )
    with operator_services() as services:
        create_user(services, OPERATOR, new)
    err.print(_("{name} can sign in now.", name=username))


@user.command("set-password")
def set_password(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Who cannot sign in any more.")],
) -> None:
    """Give a person a new password, printed once; they are signed out everywhere, and told by mail."""
    password = new_password()
    with operator_services() as services:
        reset_password(services, OPERATOR, username=username, new=password)
    out.print(password)
    err.print(_("{name} has another password now, and is signed out everywhere.", name=username))


@user.command("reset-second-factor")
def reset_codes(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Who lost phone and paper.")],
    reason: Annotated[str, typer.Option("--reason", help="For the audit log, and for them.")],
) -> None:
    """Take a person's one-time codes away; they are signed out everywhere, and told by mail."""
    with operator_services() as services:
        ended = reset_second_factor(services, OPERATOR, username, reason=reason)
    err.print(
        _("{name} signs in with the password alone now; {count} sessions ended.", name=username, count=ended)
    )


@user.command("map")
def map_user(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Whose account it is.")],
    account: Annotated[str, typer.Option("--account", help="Its name on the cluster.")],
    cluster: Annotated[str, typer.Option("--cluster", help="Which cluster; default: the one there is.")] = "",
    uid: Annotated[
        int | None, typer.Option("--uid", help="Its number there; default: as this machine knows it.")
    ] = None,
) -> None:
    """Say which account a person's jobs run as on a cluster that gives out its own, such as Slurm."""
    with operator_services() as services:
        where = _cluster(services, cluster)
        there = AccountThere(account, uid)
        number = map_cluster_user(services, OPERATOR, username, cluster=where, account=there)
    err.print(
        _(
            "On {cluster}, jobs of {name} run as {account} (uid {uid}) now.",
            cluster=where,
            name=username,
            account=account,
            uid=number,
        )
    )


@user.command("unmap")
def unmap_user(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Who has it no more.")],
    cluster: Annotated[str, typer.Option("--cluster", help="Which cluster; default: the one there is.")] = "",
) -> None:
    """Say that a person has no account on a cluster any more; what runs there goes on."""
    with operator_services() as services:
        where = _cluster(services, cluster)
        unmap_cluster_user(services, OPERATOR, username, cluster=where)
    err.print(_("{name} has no account on {cluster} any more.", name=username, cluster=where))


@user.command("accounts")
def list_accounts(*, as_json: Json = False) -> None:
    """Show who is who on the clusters."""
    with operator_services() as services, services.reading() as session:
        found = list_cluster_accounts(session, OPERATOR)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    columns = (_("Cluster"), _("Person"), _("Account"), "uid")
    rows = [(item.cluster, item.username, item.cluster_user, item.uid) for item in found]
    out.print(table(columns, rows, right=(3,)))


@organisation.command("add")
def add_organisation(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its short name, such as dut.")],
    name: Annotated[str, typer.Option("--name", help="Its name, for people.")],
    kind: Annotated[OrganisationKind, typer.Option("--kind", help="What kind of tenant it is.")],
) -> None:
    """Create an organisation."""
    with operator_services() as services:
        create_organisation(services, OPERATOR, slug=slug, name=name, kind=kind)
    err.print(_("Organisation {name} exists now.", name=slug))


@project.command("add")
def add_project(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its name on the cluster.")],
    org: Annotated[str, typer.Option("--org", help="The organisation's short name.")],
    name: Annotated[str, typer.Option("--name", help="Its name, for people.")],
) -> None:
    """Create a project; it has no budget until something is granted."""
    with operator_services() as services:
        create_project(services, OPERATOR, organisation=org, account=account, name=name)
    err.print(_("Project {name} exists now; grant it something: hpc-portal grant", name=account))


@member.command("set")
def set_member(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Whose place it is.")],
    role: Annotated[
        str, typer.Option("--role", help="manager or member; lead or member of a project; none ends it.")
    ],
    org: Annotated[str, typer.Option("--org", help="In this organisation.")] = "",
    account: Annotated[str, typer.Option("--project", help="In this project.")] = "",
) -> None:
    """Give a person a place, change it, or end it."""
    if bool(org) == bool(account):
        raise UsageProblem(_("Give either --org or --project."))
    with operator_services() as services:
        if org:
            set_organisation_membership(
                services, OPERATOR, organisation=org, username=username, role=_role(OrganisationRole, role)
            )
        else:
            set_project_membership(
                services, OPERATOR, account=account, username=username, role=_role(ProjectRole, role)
            )
    err.print(_("{name} is {role} of {where} now.", name=username, role=role, where=org or account))


def grant(  # noqa: PLR0913 - one argument for each option
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The project's name on the cluster.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="For the books.")],
    vnd: Annotated[int, typer.Option("--vnd", min=0, help="Whole đồng.")] = 0,
    hours: Annotated[
        list[str] | None,
        typer.Option(
            "--hours",
            metavar="TRES=N",
            help="Such as gres/gpu:h100=500, cpu=10000, license/vcs=80; storage=500 are GiB.",
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="For so long from now on.")] = 365,
    key: Annotated[
        str, typer.Option("--key", help="The same key never grants twice; default: a new one.")
    ] = "",
) -> None:
    """Grant a project budget: đồng, and hours of resources."""
    lines = budget_lines(vnd=vnd, hours=dict(parse_assignment("--hours", item) for item in hours or ()))
    with operator_services() as services:
        now = services.clock.now()
        wanted = BudgetGrant(lines, valid_from=now, valid_to=now + timedelta(days=days), reason=reason)
        allocation = grant_budget(services, OPERATOR, account, wanted, key=key or str(uuid4()))
    err.print(_("Granted to {name}: allocation {allocation}.", name=account, allocation=allocation))


def budget_lines(*, vnd: int, hours: Mapping[str, str]) -> dict[str, int]:
    """Lines as the ledger counts: đồng, GiB of storage, TRES-seconds (MiB-seconds for `mem`, in GiB-hours).

    Raises:
        UsageProblem: an amount is no whole number.
    """
    lines = {VND: vnd} if vnd else {}
    for name, amount in hours.items():
        if not amount.isdecimal():
            raise UsageProblem(_("--hours {name}: {amount} is not a whole number.", name=name, amount=amount))
        lines[name] = int(amount) * unit_of(name)
    return lines


@contextlib.contextmanager
def operator_services() -> Iterator[Services]:
    """The portal's services; what they refuse becomes the command's error."""
    services = build_services(load_settings())
    try:
        yield services
    except (PortalError, QuotaError) as error:
        raise refused(error) from error
    finally:
        services.commits.close()
        services.engine.dispose()


def _cluster(services: Services, named: str) -> str:
    """The cluster that was named, or the only one whose people need accounts."""
    known = sorted(services.settings.clusters_with_accounts)
    if named or len(known) != 1:
        return named
    return known[0]


def _role(kind: type[R], text: str) -> R | None:
    if text == "none":
        return None
    try:
        return kind(text)
    except ValueError as error:
        choices = ", ".join([*(role.value for role in kind), "none"])
        raise UsageProblem(_("--role must be one of: {choices}", choices=choices)) from error
