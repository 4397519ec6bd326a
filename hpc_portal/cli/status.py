"""`hpc status`: what the start page tells, on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import instant, out, print_json, table
from quotas.money import VND


def status(*, as_json: Json = False) -> None:
    """Show your jobs under way, budgets, what is free, and what was announced."""
    with open_portal() as portal:
        found = portal.get("/overview")
    if as_json:
        print_json(found)
        return
    for one in found["announcements"]:
        text = one["text_vi"] if active() == "vi" else one["text_en"]
        out.print(text, style="bold red" if one["is_urgent"] else "bold", markup=False)
    for one in found["troubles"]:
        message = _(
            "The cluster {name} has not answered since {time}.",
            name=one["cluster"],
            time=instant(one["since"]),
        )
        out.print(message, style="yellow", markup=False)
    out.print(
        _(
            "Jobs: {running} running, {pending} queued. New notices: {notices}.",
            running=found["jobs_running"],
            pending=found["jobs_pending"],
            notices=found["unread_notices"],
        )
    )
    if found["projects"]:
        out.print()
        heads = (_("Project"), _("Left"), _("Used up on"), _("Until"))
        out.print(table(heads, [_standing(one) for one in found["projects"]], right=(1,)))
    if found["free"]:
        out.print()
        rows = [(one["name"], one["free"], one["total"]) for one in found["free"]]
        out.print(table((_("Resource"), _("Free"), _("All")), rows, right=(1, 2)))
    if found["jobs"]:
        out.print()
        out.print(table((_("Job"), _("State"), _("Project"), _("Id")), list(_jobs(found))))


def _standing(one: Mapping[str, Any]) -> tuple[str, ...]:
    if one["vnd"] is None:
        return one["account"], _("nothing granted"), "", ""
    left = say_amount(VND, one["vnd"]["available"], active())
    spent = one["burn_down"]
    ahead = (spent or {}).get("forecast")
    ends = (ahead["exhausted_on"] or _("it lasts")) if ahead else ""
    return one["account"], left, ends, spent["last_day"] if spent else ""


def _jobs(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for job in found["jobs"]:
        yield job["name"], job["state"], job["project"], job["id"]
