"""`hpc refund`: ask to get back what an ended job was charged, see what was decided, decide."""

from typing import Annotated

import typer

from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json
from hpc_portal.cli.render import err, out, print_json, table
from workloads.template import N_

refund = typer.Typer(no_args_is_help=True, help="Get back what a job was charged.")

STATES = {
    "open": N_("waits for a decision"),
    "approved": N_("approved"),
    "partly_approved": N_("partly approved"),
    "denied": N_("denied"),
    "withdrawn": N_("withdrawn"),
}

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case's id, as `hpc refund list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept for good.")]


@refund.command("ask")
def ask(
    job_id: JobId,
    *,
    reason: Reason,
    percent: Annotated[int, typer.Option("--percent", min=1, max=100, help="Which share.")] = 100,
) -> None:
    """Ask to get back a share of what an ended job was charged; administrators decide."""
    with open_portal() as portal:
        found = resolve_job(portal, job_id)
        made = portal.post(f"/jobs/{found}/refunds", {"percent": percent, "reason": reason})
    err.print(_("Asked. You are told when it is decided."))
    out.print(made["id"])


@refund.command("show")
def show(job_id: JobId, *, as_json: Json = False) -> None:
    """Show what a job was charged, what came back, and what it need not pay."""
    with open_portal() as portal:
        found = portal.get(f"/jobs/{resolve_job(portal, job_id)}/refunds")
    if as_json:
        print_json(found)
        return
    rows = [
        (asset, *(_amount(asset, found[part].get(asset, 0)) for part in _PARTS))
        for asset in sorted({*found["charged"], *found["refunded"], *found["waived"]})
    ]
    out.print(table((_("Resource"), _("Charged"), _("Came back"), _("Never charged")), rows, right=(1, 2, 3)))
    if found["cases"]:
        _print_cases(found["cases"])


@refund.command("list")
def list_cases(
    *,
    every: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    as_json: Json = False,
) -> None:
    """List refund cases of jobs that you may see."""
    with open_portal() as portal:
        items = portal.get("/refund-cases", **({} if every else {"state": "open"}))["items"]
    if as_json:
        print_json(items)
    else:
        _print_cases(items)


@refund.command("withdraw")
def withdraw(case_id: CaseId) -> None:
    """Take back a case that nobody has decided."""
    with open_portal() as portal:
        portal.post(f"/refund-cases/{case_id}/withdrawal", {})
    err.print(_("Withdrawn."))


@refund.command("decide")
def decide(
    case_id: CaseId,
    *,
    percent: Annotated[int, typer.Option("--percent", min=0, max=100, help="Which share; 0 denies.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Give back a share of what was charged, or nothing; for administrators."""
    with open_portal() as portal:
        given = portal.post(f"/refund-cases/{case_id}/decision", {"percent": percent, "reason": reason})
    if as_json:
        print_json(given)
    elif given["by_asset"]:
        amounts = (say_amount(asset, amount, active()) for asset, amount in given["by_asset"].items())
        err.print(_("Given back: {amounts}", amounts=", ".join(amounts)))
    else:
        err.print(_("Decided; nothing was given back."))


_PARTS = ("charged", "refunded", "waived")


def _amount(asset: str, amount: int) -> str:
    return say_amount(asset, amount, active()) if amount else ""


def _print_cases(cases: list[dict[str, object]]) -> None:
    rows = [
        (
            case["id"],
            case["project"],
            case["job"],
            case["raised_by"],
            f"{case['asked_percent']} %",
            _(STATES.get(str(case["state"]), str(case["state"]))),
            "" if case["granted_percent"] is None else f"{case['granted_percent']} %",
            case["decision"] or case["reason"],
        )
        for case in cases
    ]
    headings = (
        *(_("Case"), _("Project"), _("Job"), _("By")),
        *(_("Asked for"), _("State"), _("Granted"), _("Reason")),
    )
    out.print(table(headings, rows, right=(4, 6)))
