"""What your projects may still use."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli import render
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json
from hpc_portal.cli.show_report import print_report


def quota(
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    *,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Also when it runs out, and in which range of days.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what projects were granted, hold for jobs under way, have used, and have left."""
    with open_portal() as portal:
        accounts = [project] if project else [item["account"] for item in portal.get("/projects")["items"]]
        balances = {account: portal.get(f"/projects/{account}/balance") for account in accounts}
        forecasts = [
            portal.get("/reports/forecast", project=account, lang=active())
            for account in (accounts if forecast else ())
        ]
    if as_json:
        print_json({"balances": balances, "forecasts": forecasts} if forecast else balances)
        return
    if not balances:
        err.print(_("You are in no project. Ask a project's lead to add you."))
        return
    columns = (_("Project"), _("Granted"), _("Used"), _("Held"), _("Left"))
    out.print(render.table(columns, _rows(balances), right=(1, 2, 3, 4)))
    for report in forecasts:
        out.print()
        print_report(report)


def _rows(balances: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for account, found in balances.items():
        name = account
        for asset, amounts in sorted(found["by_asset"].items()):
            parts = ("granted", "consumed", "held", "available")
            shown = (say_amount(asset, amounts[part], active()) for part in parts)
            rows.append((name, *shown))
            name = ""
        if name:
            rows.append((name, _("nothing granted"), "", "", ""))
    return rows
