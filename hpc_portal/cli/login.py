"""Sign in, sign out, and who am I."""

import socket
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpc_portal.cli.credentials import Credentials, credentials_path, load_credentials, store_credentials
from hpc_portal.cli.errors import CliError, CodeNeeded, NotSignedIn, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.passwords import read_password
from hpc_portal.cli.portal import Portal, is_this_machine
from hpc_portal.cli.render import err, facts, is_interactive, out, print_json


def login(
    url: Annotated[str, typer.Option("--url", envvar="HPC_URL", help="The portal's address.")] = "",
    username: Annotated[str, typer.Option("--username", "-u", help="Your user name at the portal.")] = "",
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    code: Annotated[
        str, typer.Option("--code", envvar="HPC_CODE", help="A one-time code, if you have set that up.")
    ] = "",
) -> None:
    """Sign in and keep a token in ~/.config/hpc/credentials.toml, readable by you only.

    The password is asked for, or read from HPC_PASSWORD, or from standard input with --password-stdin.
    """
    url = (url or _ask(_("Address of the portal"), "--url")).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise UsageProblem(_("{url} must start with https:// or http://.", url=url))
    if url.startswith("http://") and not is_this_machine(url):
        err.print(_("Warning: {url} is not encrypted; others on the network can read the password.", url=url))
    username = username or _ask(_("User name"), "--username")
    password = read_password(from_stdin=password_stdin)
    wish = {"username": username, "password": password, "name": f"hpc on {socket.gethostname()}"[:100]}
    with Portal(url) as portal:
        try:
            made = portal.post("/tokens/sign-in", {**wish, "code": code})
        except CodeNeeded:
            if not is_interactive():
                raise
            made = portal.post(
                "/tokens/sign-in", {**wish, "code": typer.prompt(_("One-time code"), err=True)}
            )
    credentials = Credentials(url=url, token=made["token"], username=username, token_id=str(made["id"]))
    store_credentials(credentials, credentials_path())
    err.print(_("Signed in to {url} as {username}.", url=url, username=username))


def logout() -> None:
    """Revoke the token and forget it."""
    path = credentials_path()
    try:
        credentials = load_credentials()
    except NotSignedIn:
        err.print(_("You were not signed in."))
        return
    try:
        if credentials.token_id:
            with Portal(credentials.url, credentials.token) as portal:
                portal.delete(f"/tokens/{credentials.token_id}")
    except CliError as error:
        err.print(_("The token is forgotten here, but could not be revoked: {problem}", problem=error))
    finally:
        path.unlink(missing_ok=True)
    err.print(_("Signed out."))


def whoami(*, as_json: Json = False) -> None:
    """Who the portal takes you for, and what you may do where."""
    with open_portal() as portal:
        me = portal.get("/me")
    if as_json:
        print_json(me)
        return
    out.print(
        facts(
            [
                (_("User name"), me["username"]),
                (_("Name"), me["display_name"]),
                (_("Role"), me["global_role"]),
                *((_("Organisation"), _place(item, "slug")) for item in me["organisations"]),
                *((_("Project"), _place(item, "account")) for item in me["projects"]),
            ]
        )
    )


def _place(item: Mapping[str, Any], key: str) -> str:
    role = f" ({item['role']})" if item["role"] else ""
    return f"{item[key]}{role}  {item['name']}"


def open_portal() -> Portal:
    """The portal that the person is signed in to.

    Raises:
        NotSignedIn: they are not.
    """
    credentials = load_credentials()
    return Portal(credentials.url, credentials.token)


def _ask(question: str, option: str) -> str:
    if not is_interactive():
        raise UsageProblem(_("Give {option}: there is no terminal to ask on.", option=option))
    return str(typer.prompt(question, err=True))
