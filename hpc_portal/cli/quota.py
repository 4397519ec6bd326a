"""What your projects may still use."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpc_portal.app.notices.say import say_amount, say_bytes
from hpc_portal.cli import render
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json
from hpc_portal.cli.show_report import print_report
from quotas.amounts import STORAGE


def quota(
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    *,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Also when it runs out, and in which range of days.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Have storage measured again, such as after deleting files.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what projects were granted, hold for jobs under way, have used, and have left.

    Storage is measured from time to time, and shown with the age of its figure.
    """
    with open_portal() as portal:
        accounts = [project] if project else [item["account"] for item in portal.get("/projects")["items"]]
        for account in accounts if measure else ():
            portal.post(f"/projects/{account}/storage/measurements")
        balances = {account: portal.get(f"/projects/{account}/balance") for account in accounts}
        stored = {account: portal.get(f"/projects/{account}/storage") for account in accounts}
        forecasts = [
            portal.get("/reports/forecast", project=account, lang=active())
            for account in (accounts if forecast else ())
        ]
    if as_json:
        whole = {account: {**balances[account], "storage": stored[account]} for account in accounts}
        print_json({"balances": whole, "forecasts": forecasts} if forecast else whole)
        return
    if not balances:
        err.print(_("You are in no project. Ask a project's lead to add you."))
        return
    columns = (_("Project"), _("Granted"), _("Used"), _("Held"), _("Left"))
    out.print(render.table(columns, _rows(balances), right=(1, 2, 3, 4)))
    out.print()
    heads = (_("Project"), _("Storage"), _("Used"), "", _("Measured"))
    out.print(render.table(heads, [_stored(*item) for item in stored.items()], right=(1, 2, 3)))
    for account in (account for account, found in stored.items() if found["is_full"]):
        text = _(
            "The storage of {project} is full: new jobs are refused until files are deleted or more is "
            "granted.",
            project=account,
        )
        err.print(text, style="yellow")
    for report in forecasts:
        out.print()
        print_report(report)


def _stored(account: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """A project's storage as a row: granted, used, per cent, and how old that is."""
    if found["granted_gib"] is None:
        granted, percent = _("not limited"), ""
    else:
        granted, percent = f"{found['granted_gib']} GiB", f"{found['percent']} %"
    measured = render.instant(found["measured_at"]) if found["measured_at"] else _("not yet")
    if found["is_waiting"]:
        measured += " " + _("(a new measurement is on its way)")
    return account, granted, say_bytes(found["allocated_bytes"], active()), percent, measured


def _rows(balances: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for account, found in balances.items():
        name = account
        for asset, amounts in sorted(found["by_asset"].items()):
            if asset == STORAGE:
                continue
            parts = ("granted", "consumed", "held", "available")
            shown = (say_amount(asset, amounts[part], active()) for part in parts)
            rows.append((name, *shown))
            name = ""
        if name:
            rows.append((name, _("nothing granted"), "", "", ""))
    return rows
