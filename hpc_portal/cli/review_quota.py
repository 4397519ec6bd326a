"""`hpc request`, for the city's administrators: see what waits, what can still be promised, and decide."""

from typing import Annotated

import typer

from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli import render
from hpc_portal.cli.ask_quota import Message, RequestId, do, print_list, request, resolve_request
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.quota_amounts import end_instant, read_amounts
from hpc_portal.cli.render import out, print_json

_Needed = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What is said with it.")]


@request.command()
def inbox(*, as_json: Json = False) -> None:
    """List what waits for a decision, the longest-waiting first."""
    with open_portal() as portal:
        found = portal.get("/requests/inbox")["items"]
    print_list(found, as_json=as_json)


@request.command()
def outlook(request_id: RequestId, *, as_json: Json = False) -> None:
    """Show balances, and what can still be promised in the time that a request asks for."""
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}/outlook")
    if as_json:
        print_json(found)
        return

    def amount(asset: str, value: int | None) -> str:
        return "" if value is None else say_amount(asset, value, active())

    columns = (_("Asked for"), _("Capacity"), _("Promised to others"), _("Still promisable"))
    rows = [
        tuple(amount(line["asset"], line[part]) for part in ("asked", "capacity", "promised", "left"))
        for line in found["lines"]
    ]
    out.print(render.table(columns, rows, right=(0, 1, 2, 3)))
    out.print(
        _(
            "Capacity: the clusters as they are now, for the rest of the period, times {percent} %.",
            percent=found["availability_percent"],
        )
    )


@request.command()
def review(request_id: RequestId, *, as_json: Json = False) -> None:
    """Say that you look at a request."""
    do(request_id, "review", {}, as_json=as_json)


@request.command("return")
def give_back(request_id: RequestId, message: _Needed, *, as_json: Json = False) -> None:
    """Return a request with a question."""
    do(request_id, "return", {"message": message}, as_json=as_json)


@request.command()
def approve(
    request_id: RequestId,
    grant: Annotated[
        list[str] | None,
        typer.Option("--grant", metavar="RESOURCE=AMOUNT", help="Grant only this of it; say why."),
    ] = None,
    until: Annotated[
        str, typer.Option("--until", metavar="DAY", help="Grant it until this day only; say why.")
    ] = "",
    message: Message = "",
    *,
    as_json: Json = False,
) -> None:
    """Approve a request: all of it, or with --grant or --until a part."""
    if not grant and not until:
        do(request_id, "approve", {"message": message}, as_json=as_json)
        return
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}")
    lines = read_amounts(grant) if grant else {line["asset"]: line["asked"] for line in found["lines"]}
    body = {
        "granted": lines,
        "valid_to": end_instant(until),
        "message": message,
        "version": found["version"],
    }
    do(found["id"], "approve-partly", body, as_json=as_json)


@request.command()
def deny(request_id: RequestId, message: _Needed, *, as_json: Json = False) -> None:
    """Deny a request, and say why."""
    do(request_id, "deny", {"message": message}, as_json=as_json)
