"""What you were told: decisions on requests, budgets that end, changes of your projects."""

from typing import Annotated

import typer
from rich.markup import escape

from hpc_portal.cli import render
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.render import err, out, print_json

_MOST = 100


def notices(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were read.")] = False,
    read: Annotated[bool, typer.Option("--read", help="Mark them as read afterwards.")] = False,
    mail: Annotated[
        bool | None, typer.Option("--mail/--no-mail", help="Have them by mail, too, from now on; or not.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show your notices, newest first."""
    with open_portal() as portal:
        if mail is not None:
            portal.put("/notices/choice", {"mail": mail})
        pages = read_pages(portal, "/notices", most=_MOST, lang=active())
        found = [item for item in pages if all_ or not item["is_read"]]
        if read and found:
            portal.post("/notices/read", {"ids": [item["id"] for item in found]}, changes_nothing=True)
    if as_json:
        print_json(found)
        return
    if not found:
        err.print(_("There is nothing new."))
    for item in found:
        out.print(f"[bold]{escape(item['title'])}[/bold]  {render.instant(item['at'])}")
        if item["body"]:
            out.print(item["body"], markup=False)
