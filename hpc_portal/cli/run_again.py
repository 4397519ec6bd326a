"""`hpc run-again`: ended jobs once more, after their price was shown."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import typer

from hpc_portal.app.jobs.run_again import MOST_AT_ONCE
from hpc_portal.app.notices.say import say_amount
from hpc_portal.cli import options
from hpc_portal.cli.errors import Refused, UsageProblem
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import active, ngettext
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, is_interactive, out, print_json, short_id, table
from hpc_portal.cli.selection import say_left_out
from quotas.money import VND


def run_again(job_ids: options.JobIds, *, yes: options.Yes = False, as_json: Json = False) -> None:
    """Submit ended jobs once more as they were asked for, at today's prices; shows the price first."""
    with open_portal() as portal:
        chosen = list(dict.fromkeys(resolve_job(portal, text) for text in job_ids))
        if len(chosen) > MOST_AT_ONCE:
            raise UsageProblem(_("At most {most} jobs are run again at once.", most=MOST_AT_ONCE))
        price = portal.post("/jobs/run-again/estimate", {"job_ids": chosen}, changes_nothing=True)
        going = [one["job_id"] for one in price["jobs"] if not one["problem"]]
        if not as_json:
            err.print(table((_("Job"), _("Name"), _("At most")), [_row(one) for one in price["jobs"]]))
            for project in price["short"]:
                err.print(_("{project} cannot pay for all of them together.", project=project))
        if not going:
            raise Refused(say_left_out(len(chosen)))
        if not yes:
            _confirm(len(going), price["total_vnd"])
        done = portal.post("/jobs/run-again", {"job_ids": going}, idempotency_key=str(uuid4()))
    if as_json:
        print_json(done)
    else:
        for one in done["made"]:
            out.print(one["new_job_id"], markup=False)
        for one in done["left_out"]:
            err.print(f"{short_id(one['job_id'])}: {one['problem']}", markup=False)
    if not done["made"]:
        raise Refused(say_left_out(len(chosen)))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    price = one["problem"] or say_amount(VND, one["total_vnd"], active())
    return short_id(one["job_id"]), one["name"], price


def _confirm(count: int, total_vnd: int) -> None:
    if not is_interactive():
        raise UsageProblem(_("Say --yes to go on."))
    amount = say_amount(VND, total_vnd, active())
    question = ngettext(
        "Run {count} job again, for {amount} at most?",
        "Run {count} jobs again, for {amount} at most?",
        count,
        amount=amount,
    )
    typer.confirm(question, abort=True, err=True)
