"""See jobs: the list, one job, its tasks."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from hpc_portal.cli import render
from hpc_portal.cli.errors import NotFound
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.language import ngettext
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import out, print_json
from quotas.money import format_vnd
from schedulers.units import format_memory

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")]


def jobs(  # noqa: PLR0913 - one argument for each option
    state: Annotated[str, typer.Option("--state", "-s", help="Only in this state, such as RUNNING.")] = "",
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    user: Annotated[str, typer.Option("--user", help="Only of this person.")] = "",
    name: Annotated[str, typer.Option("--name", help="Only with this in the name.")] = "",
    limit: Limit = 20,
    *,
    cluster: Annotated[str, typer.Option("--cluster", help="Only on this cluster.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only submitted since: today, 7d, 30d or a day (YYYY-MM-DD).")
    ] = "",
    view: Annotated[str, typer.Option("--view", help="As a view that you keep on the page of jobs.")] = "",
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    filters = {"state": state.upper(), "project": project, "user": user, "cluster": cluster, "name": name}
    filters["since"] = since
    with open_portal() as portal:
        kept = _filters_of(portal, view) if view else {}
        wanted = {key: value or kept.get(key) or None for key, value in filters.items()}
        found = list(read_pages(portal, "/jobs", most=limit, **wanted))
    if as_json:
        print_json(found)
        return
    if not found:
        render.err.print(_("No jobs. Submit one: hpc submit --help"))
        return
    has_clusters = len({job["scheduler"] for job in found}) > 1
    columns = [_("Job"), _("Name"), _("Project"), _("State"), _("Tasks"), _("Submitted"), _("Cost")]
    if has_clusters:
        columns.insert(3, _("Cluster"))
    rows = [
        (
            render.short_id(job["id"]),
            name_of(job),
            job["project"],
            *((job["scheduler"],) if has_clusters else ()),
            state_of(job),
            tasks_of(job),
            render.instant(job["submitted_at"]),
            format_vnd(job["charged_vnd"]),
        )
        for job in found
    ]
    out.print(render.table(columns, rows, right=(len(columns) - 1,)))


def _filters_of(portal: Portal, view: str) -> dict[str, str]:
    """What a kept view narrows the list to, by the API's names.

    Raises:
        NotFound: there is no view of this name.
    """
    for kept in portal.get("/job-views"):
        if kept["name"].casefold() == view.casefold():
            names = {"text": "name", "owner": "user"}
            return {names.get(name, name): value for name, value in kept["filters"].items()}
    raise NotFound(_("You keep no view called {view}.", view=view))


def show(job_id: JobId, *, as_json: Json = False) -> None:
    """Show one job: its state, times, request and cost."""
    with open_portal() as portal:
        path = f"/jobs/{resolve_job(portal, job_id)}"
        job, cost = portal.get(path), portal.get(f"{path}/cost")
        efficiency = portal.get(f"{path}/efficiency")
    if as_json:
        print_json({**job, "cost": cost, "efficiency": efficiency})
    else:
        out.print(facts_of(job, cost, efficiency))


def tasks(
    job_id: JobId,
    state: Annotated[str, typer.Option("--state", "-s", help="Only in this state.")] = "",
    limit: Limit = 100,
    *,
    as_json: Json = False,
) -> None:
    """List the runs of a job's tasks; tasks that have not started yet are not listed."""
    with open_portal() as portal:
        path = f"/jobs/{resolve_job(portal, job_id)}/tasks"
        found = list(read_pages(portal, path, most=limit, state=state.upper() or None))
    if as_json:
        print_json(found)
        return
    columns = (_("Task"), _("State"), _("Exit"), _("Elapsed"), _("Memory"), _("Nodes"), _("Cost"))
    rows = [
        (
            task["task_index"] if not task["attempt"] else f"{task['task_index']} ({task['attempt'] + 1})",
            render.state(task["state"]),
            exit_of(task),
            render.elapsed(task["elapsed_seconds"]),
            f"{task['max_rss_mib']} MiB" if task["max_rss_mib"] else "",
            ", ".join(task["nodes"]),
            format_vnd(task["charged_vnd"]),
        )
        for task in found
    ]
    out.print(render.table(columns, rows, right=(0, 6)))


def facts_of(
    job: Mapping[str, Any],
    cost: Mapping[str, Any] | None = None,
    efficiency: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401 - for rich
    """One job as names and values; with its cost and its efficiency, where they are given."""
    limit = job.get("waits_for_limit")
    return render.facts(
        [
            (_("Job"), job["id"]),
            (_("Name"), job["name"]),
            (_("Project"), job["project"]),
            (_("Owner"), _owner(job)),
            (_("Template"), job["template"]),
            (_("Origin"), _("sbatch, past the portal") if job["origin"] == "external" else ""),
            (_("State"), state_of(job)),
            (_("Files"), _removed(job)),
            (_("Held by"), _holder(job)),
            (_("Reason"), reason_of(job)),
            (_("Advice"), (job["pending_reason"] or {}).get("advice")),
            (_("Limit"), limit_of(limit) if limit else ""),
            (_("Tasks"), tasks_of(job)),
            (_("Exit"), exit_of(job)),
            (_("Cluster"), job["scheduler"]),
            (_("Partition"), job["partition"]),
            (_("Submitted"), render.instant(job["submitted_at"])),
            (_("Started"), render.instant(job["started_at"])),
            (_("Ended"), render.instant(job["ended_at"])),
            (_("At most"), format_vnd(job["estimated_vnd"])),
            *(subsidy_of(cost) if cost else ()),
            (_("Cost"), format_vnd(job["charged_vnd"])),
            *(efficiency_of(efficiency) if efficiency else ()),
        ]
    )


def efficiency_of(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was used of what was asked for, and what would have been enough."""
    used, facts = found["used"], []
    if used["average_cores"]:
        busy = _("{used:.1f} of {asked} busy", used=used["average_cores"], asked=found["cpus_asked"])
        facts.append((_("CPU cores"), busy + _enough(found, "cpus", str)))
    if used["peak_mib"]:
        most = _(
            "at most {used} of {asked}",
            used=format_memory(used["peak_mib"]),
            asked=format_memory(found["memory_mib_asked"]),
        )
        facts.append((_("Memory"), most + _enough(found, "memory_mib", format_memory)))
    if found["gpu_busy_share"] is not None:
        facts.append((_("GPU at work"), f"{found['gpu_busy_share']:.0%}"))
    if found["saved_vnd"]:
        saved = _("{share:.0%} of the list price", share=found["saved_vnd"] / found["list_vnd"])
        facts.append((_("To be saved"), f"{format_vnd(found['saved_vnd'])}, {saved}"))
    return facts


def _enough(found: Mapping[str, Any], name: str, write: Callable[[int], str]) -> str:
    enough = found[f"{name}_enough"]
    if enough == found[f"{name}_asked"]:
        return ""
    return "; " + _("{enough} would have been enough", enough=write(enough))


def subsidy_of(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List price and subsidy, where something is subsidised; what is paid is net of it."""
    if not cost["subsidy_vnd"]:
        return []
    return [
        (_("List price"), format_vnd(cost["list_vnd"])),
        (_("The city pays"), format_vnd(-cost["subsidy_vnd"])),
    ]


def limit_of(limit: Mapping[str, Any]) -> str:
    """Which limit it waits for, whose it is, and who can raise it."""
    return _(
        "{owner} may have {value} {limit}, and {in_use} are in use; ask {raised_by} to raise it",
        owner=limit["owner"],
        value=limit["value"],
        limit=_(limit["limit"]),
        in_use=limit["in_use"],
        raised_by=_(limit["raised_by"]),
    )


def name_of(job: Mapping[str, Any]) -> str:
    """Its name, marked where it was submitted past the portal."""
    return _("{name} (external)", name=job["name"]) if job["origin"] == "external" else str(job["name"])


def _owner(job: Mapping[str, Any]) -> str:
    if not job.get("service_owners"):
        return str(job["user"])
    return _("{name} (service account of {owners})", name=job["user"], owners=job["service_owners"])


def _removed(job: Mapping[str, Any]) -> str:
    if not job.get("files_removed_at"):
        return ""
    return _(
        "removed {at}: files of jobs are kept for {days} days after the charge",
        at=render.instant(job["files_removed_at"]),
        days=job["files_kept_days"],
    )


def _holder(job: Mapping[str, Any]) -> str:
    return {"user": _("the project"), "administrator": _("an administrator")}.get(job["held_by"], "")


def reason_of(job: Mapping[str, Any]) -> str:
    """Why it waits, in words with the scheduler's own word beside them; or why it ended."""
    reason = job["pending_reason"]
    if not reason:
        return str(job["state_reason"]) if job["ended_at"] else ""
    words = reason["text"] if reason["text"] == reason["raw"] else f"{reason['text']} ({reason['raw']})"
    if not reason["tasks_running"]:
        return str(words)
    return ngettext(
        "{count} task waits: {words}", "{count} tasks wait: {words}", reason["tasks_waiting"], words=words
    )


def state_of(job: Mapping[str, Any]) -> Text:
    """The scheduler's state; the portal's phase where that tells more."""
    if job["phase"] == "refused":
        return Text(_("REFUSED"), style="red")
    text = render.state(job["state"])
    if job["held_by"] and job["state"] == "PENDING":
        text.append(" (" + _("held") + ")", style="dim")
    if job["cancel_requested_at"] and not job["ended_at"]:
        text.append(" (" + _("cancelling") + ")", style="dim")
    return text


def tasks_of(job: Mapping[str, Any]) -> str:
    """`7/10`, with failures told; "" for a job that is no array."""
    total = job["tasks_total"]
    if total == 1:
        return ""
    done = job["tasks_completed"] + job["tasks_failed"] + job["tasks_cancelled"]
    failed = f" ({job['tasks_failed']} ✗)" if job["tasks_failed"] else ""
    return f"{done}/{total}{failed}"


def exit_of(record: Mapping[str, Any]) -> str:
    """`code:signal` as sacct prints it; "" while there is none."""
    return "" if record["exit_code"] is None else f"{record['exit_code']}:{record['exit_signal'] or 0}"
