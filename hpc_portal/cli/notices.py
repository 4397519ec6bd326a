"""What you were told, such as decisions on requests and budgets that end; and how you are told."""

from typing import Annotated

import typer
from rich.markup import escape

from hpc_portal.cli import render
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.render import err, out, print_json

_MOST = 100

notices = typer.Typer(invoke_without_command=True, help="Show your notices, newest first.")


@notices.callback()
def show(
    context: typer.Context,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were read.")] = False,
    read: Annotated[bool, typer.Option("--read", help="Mark them as read afterwards.")] = False,
    mail: Annotated[
        bool | None, typer.Option("--mail/--no-mail", help="Have them by mail, too, from now on; or not.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show your notices, newest first."""
    if context.invoked_subcommand:
        return
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


@notices.command()
def choices(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Change how you are told of this one.")] = "",
    *,
    page: Annotated[bool | None, typer.Option("--page/--no-page", help="In the portal.")] = None,
    mail: Annotated[str | None, typer.Option(metavar="off|at_once|daily", help="By mail.")] = None,
    webhook: Annotated[bool | None, typer.Option("--webhook/--no-webhook", help="By webhook.")] = None,
    as_json: Json = False,
) -> None:
    """Show how you are told of each group of notices, or change it for one."""
    changes = {"on_page": page, "by_mail": mail, "by_webhook": webhook}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if wanted and not group:
        raise UsageProblem(_("Say which group."))
    with open_portal() as portal:
        found = portal.get("/notices/choices")["items"]
        names = [one["group"] for one in found]
        if group and group not in names:
            text = _(
                "There is no group {group}. Choose one of: {names}.", group=group, names=", ".join(names)
            )
            raise UsageProblem(text)
        if wanted:
            present = next(one for one in found if one["group"] == group)
            body = {name: present[name] for name in changes} | wanted
            portal.put(f"/notices/choices/{group}", body)
            found = portal.get("/notices/choices")["items"]
    if as_json:
        print_json(found)
        return
    rows = [
        (one["group"], _yes(one["on_page"]), one["by_mail"], _yes(one["by_webhook"]))
        for one in found
        if not group or one["group"] == group
    ]
    out.print(render.table((_("Group"), _("In the portal"), _("By mail"), _("By webhook")), rows))


@notices.command()
def webhook(
    url: Annotated[str, typer.Argument(metavar="URL", help="Have notices posted there; - removes it.")] = "",
    *,
    test: Annotated[bool, typer.Option("--test", help="Have a test posted.")] = False,
    as_json: Json = False,
) -> None:
    """Show your webhook and its last deliveries, set it, or try it out."""
    with open_portal() as portal:
        if url == "-":
            portal.delete("/webhook")
        elif url and (secret := portal.put("/webhook", {"url": url})["secret"]):
            err.print(_("Copy the secret now: it is shown only once."))
            out.print(secret, markup=False)
        if test:
            portal.post("/webhook/test")
        found = portal.get("/webhook")
        deliveries = portal.get("/webhook/deliveries", limit=20)["items"]
    if as_json:
        print_json({"webhook": found, "deliveries": deliveries})
        return
    if found is None:
        err.print(_("You have no webhook."))
        return
    out.print(found["url"], markup=False)
    if found["disabled_at"]:
        err.print(
            _("It was switched off at {time}: set it again.", time=render.instant(found["disabled_at"]))
        )
    rows = [
        (
            one["kind"],
            render.instant(one["created_at"]),
            one["attempts"],
            one["problem"] or one["status"] or "",
        )
        for one in deliveries
    ]
    if rows:
        columns = (_("Notice"), _("Created"), _("Tries"), _("Answer"))
        out.print(render.table(columns, rows, right=(2,)))


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell of a table
    return _("yes") if value else _("no")
