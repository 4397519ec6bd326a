"""Change jobs under way: hold, release, requeue, time limit and priority; and what became of that."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from hpc_portal.cli import options, render
from hpc_portal.cli.errors import Refused, UsageProblem
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.language import ngettext
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json, SomeJobIds
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import err, out, print_json
from hpc_portal.cli.selection import Selection, batches, say_left_out, select_jobs
from schedulers.errors import InvalidJobSpec
from schedulers.units import format_walltime, parse_walltime
from workloads.template import N_


def _bulk_command(change: str, description: str, question: str) -> Callable[..., None]:
    """A command that makes one change, which needs no value, of the jobs that are named or fit."""

    def command(  # noqa: PLR0913 - one argument for each option
        job_ids: SomeJobIds = None,
        *,
        all_: options.All = False,
        state: options.State = "",
        project: options.OfProject = "",
        user: options.OfUser = "",
        name: options.Named = "",
        everyone: options.Everyone = False,
        yes: options.Yes = False,
        as_json: Json = False,
    ) -> None:
        wanted = Selection(job_ids or (), all_, state, project, user, name, everyone, yes)
        _change(wanted, {"change": change}, _(question), as_json=as_json)

    command.__doc__ = description
    return command


hold = _bulk_command(
    "hold",
    "Hold jobs: what of them waits does not start before it is released; what runs goes on.",
    N_("Hold {count} jobs?"),
)
release = _bulk_command("release", "Release held jobs.", N_("Release {count} jobs?"))
requeue = _bulk_command(
    "requeue",
    "End what runs of jobs and put it back into the queue; the ended runs are charged.",
    N_("End and requeue {count} jobs?"),
)


def change(
    job_ids: options.JobIds,
    time: Annotated[
        str, typer.Option("--time", metavar="TIME", help="Another time limit, such as 4:00:00.")
    ] = "",
    nice: Annotated[
        int | None,
        typer.Option("--nice", help="Start so much later than others; below 0 is for administrators."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Change the time limit or the priority of jobs, also of running ones."""
    if bool(time) == (nice is not None):
        raise UsageProblem(_("Give either --time or --nice."))
    body: dict[str, Any] = {"change": "nice", "nice": nice}
    if time:
        body = {"change": "walltime", "walltime_seconds": _seconds(time)}
    _change(Selection(job_ids), body, "", as_json=as_json)


def changes(job_id: JobId, *, as_json: Json = False) -> None:
    """List what was asked of a job under way, and what the scheduler said to it."""
    with open_portal() as portal:
        found = portal.get(f"/jobs/{resolve_job(portal, job_id)}/changes")["items"]
    if as_json:
        print_json(found)
        return
    columns = (_("Asked"), _("By"), _("Change"), _("Outcome"), _("Reason"))
    rows = [
        (
            render.instant(item["requested_at"]),
            item["requested_by"],
            _what(item),
            _outcomes()[item["state"]],
            item["refusal"],
        )
        for item in found
    ]
    out.print(render.table(columns, rows))


def ask_change(portal: Portal, job_ids: Sequence[str], body: dict[str, Any]) -> dict[str, Any]:
    """Ask for the same change of jobs; the reply's `changes` and `left_out`.

    Raises:
        Refused: there is one job only, and it cannot be changed so.
    """
    if len(job_ids) == 1:
        made = portal.post(f"/jobs/{job_ids[0]}/changes", body)
        return {"changes": [{"job_id": made["job_id"], "id": made["id"]}], "left_out": []}
    reply: dict[str, Any] = {"changes": [], "left_out": []}
    for batch in batches(job_ids):
        part = portal.post("/jobs/changes", {"job_ids": batch, "change": body})
        reply = {key: [*items, *part[key]] for key, items in reply.items()}
    return reply


def say_outcome(reply: dict[str, Any], *, as_json: bool) -> None:
    """How many were changed, and why the others were not.

    Raises:
        Refused: none was.
    """
    if as_json:
        print_json(reply)
    else:
        count = len(reply["changes"])
        err.print(ngettext("{count} job is being changed.", "{count} jobs are being changed.", count))
        for item in reply["left_out"]:
            err.print(f"{render.short_id(item['job_id'])}: {item['problem']}", markup=False)
    if reply["left_out"] and not reply["changes"]:
        raise Refused(say_left_out(len(reply["left_out"])))


def _change(wanted: Selection, body: dict[str, Any], question: str, *, as_json: bool) -> None:
    with open_portal() as portal:
        chosen = select_jobs(portal, wanted, question)
        say_outcome(ask_change(portal, chosen, body), as_json=as_json)


def _seconds(text: str) -> int:
    try:
        return parse_walltime(text)
    except InvalidJobSpec as error:
        raise UsageProblem(str(error)) from error


def _outcomes() -> dict[str, str]:
    return {"requested": _("asked for"), "carried": _("done"), "refused": _("refused")}


def _what(item: dict[str, Any]) -> str:
    facts = item["facts"]
    match item["change"]:
        case "hold":
            return _("hold")
        case "release":
            return _("release")
        case "requeue":
            return _("requeue")
        case "walltime":
            return _("time limit {time}", time=format_walltime(facts["walltime_seconds"]))
        case "nice":
            return _("nice {nice}", nice=facts["nice"])
        case _:
            return _("cancel tasks {tasks}", tasks=facts.get("tasks", ""))
