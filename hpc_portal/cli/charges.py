"""`hpc charges`: what a project paid, run by run, with the formula of each price."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, instant, out, print_json, table
from hpc_portal.cli.show_report import store
from hpc_portal.cli.usage import Output, form_of
from quotas.money import VND


def charges(  # noqa: PLR0913 - one option for each respect
    project: Annotated[str, typer.Argument(help="The project's account.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Only of this person's jobs.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="At most so many.")] = 20,
    before: Annotated[str, typer.Option("--before", help="Go on from the cursor of the last call.")] = "",
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="First day of the file.")] = "",
    last: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Last day of the file.")] = "",
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Show what a project paid, run by run, the newest first, each with the formula of its price."""
    if output:
        asked = {"project": project, "user": user or None, "since": since or None, "last": last or None}
        form = form_of(output)
        with open_portal() as portal:
            store(portal.download("/reports/charges", **asked, lang=active(), format=form), output)
        return
    if since or last:
        raise UsageProblem(_("--since and --last belong to --output."))
    with open_portal() as portal:
        found = portal.get(
            f"/projects/{project}/charges", user=user or None, limit=limit, cursor=before or None
        )
    if as_json:
        print_json(found)
        return
    heads = (_("Ended"), _("Job"), _("User"), _("State"), _("Formula"), _("Paid"))
    out.print(table(heads, [_row(one) for one in found["items"]], right=(5,)))
    if found["next_cursor"]:
        err.print(_("There are older ones: --before {cursor}", cursor=found["next_cursor"]))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        instant(one["ended_at"]),
        one["job_name"] or one["job_id"][:8],
        one["user"],
        one["state"],
        _formula(one),
        say_amount(VND, one["vnd"], active()),
    )


def _formula(one: Mapping[str, Any]) -> str:
    """`2 CPU-hours x 1.000 ₫ + 4 GiB-hours x 100 ₫ - subsidy`."""
    if not one["is_charged"]:
        return _("nobody pays for this end")
    parts = [
        f"{say_amount(line['tres'], line['tres_seconds'], active())} x "
        f"{say_amount(VND, line['rate_vnd_per_hour'], active())}"
        for line in one["lines"]
        if line["tres_seconds"]
    ]
    subsidy = f" - {say_amount(VND, one['subsidy_vnd'], active())}" if one["subsidy_vnd"] else ""
    return " + ".join(parts) + subsidy
