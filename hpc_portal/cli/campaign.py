"""`hpc campaign`: submit a regression file, see how its tests did, run again what failed, stop, export."""

import sys
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_portal.cli import campaign_history, render
from hpc_portal.cli.campaign_id import CampaignId, resolve
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.follow import follow_job, require_success
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json, Project
from hpc_portal.cli.render import err, out, print_json, table
from hpc_portal.cli.request import parse_assignment, read_text
from hpc_portal.cli.submit import only_project
from quotas.money import format_vnd
from workloads.template import N_

campaign = typer.Typer(no_args_is_help=True, help="Regressions and other campaigns: an array and its reruns.")

RunNumber = Annotated[int, typer.Option("--run", min=0, help="0 is the first run; reruns count from 1.")]
KINDS = {
    "first": N_("first run"),
    "same_seeds": N_("failures, same seeds"),
    "new_seeds": N_("failures, new seeds"),
}
KINDS_OF_CAMPAIGNS = {
    "regression": N_("regression"),
    "sweep": N_("sweep"),
    "corners": N_("corners"),
}
STOPPED = {
    "failures": N_("stopped: so many failures as its rule allows"),
    "cost": N_("stopped: it has cost as much as its cap allows"),
    "person": N_("stopped by a person"),
}
_SOURCES = (".sv", ".v", ".svh", ".vh")


@campaign.command("run")
def run_file(  # noqa: PLR0913 - one argument for each option
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A regression file in TOML.")],
    *,
    project: Project = "",
    name: Annotated[str, typer.Option("--name", "-J", help="Default: the file's name.")] = "",
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="Only the tests of this group of the file.")
    ] = None,
    include: Annotated[
        list[Path] | None,
        typer.Option("--include", help="A folder whose sources go along; default: the file's own."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="KEY=VALUE", help="Another parameter of rtl-regression."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Submit a regression file with the sources that lie beside it, or that it names."""
    text = read_text(file)
    raw: dict[str, Any] = {
        "name": name or file.stem,
        "regression": text,
        "groups": group or [],
        "sources": _sources(file, text, include or [file.parent]),
    }
    for item in parameters or ():
        key, value = parse_assignment("-p", item)
        _store(raw, key.split("."), value)
    with open_portal() as portal:
        body = {"project": project or only_project(portal), "template": "rtl-regression", "parameters": raw}
        made = portal.post("/jobs", body, idempotency_key=str(uuid.uuid4()))["id"]
        if wait:
            require_success(follow_job(portal, made))
        if as_json:
            print_json(portal.get(f"/campaigns/{made}"))
        else:
            out.print(made)


@campaign.command("list")
def list_campaigns(  # noqa: PLR0913 - one argument for each option
    *,
    kind: Annotated[
        str, typer.Option("--kind", metavar="regression|sweep|corners", help="Only of this kind.")
    ] = "",
    state: Annotated[str, typer.Option("--state", "-s", help="Only in this state, such as RUNNING.")] = "",
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    user: Annotated[str, typer.Option("--user", help="Only of this person.")] = "",
    name: Annotated[str, typer.Option("--name", help="Only of exactly this name.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List regressions, sweeps and corners, newest first."""
    wanted = {"kind": kind or None, "state": state.upper() or None, "project": project, "user": user}
    with open_portal() as portal:
        items = portal.get("/campaigns", **wanted, name=name, limit=limit)["items"]
    if as_json:
        print_json(items)
        return
    rows = [
        (
            render.short_id(item["id"]),
            _(KINDS_OF_CAMPAIGNS[item["kind"]]),
            item["name"],
            item["project"],
            item["user"],
            *(_figures(item["runs"][0]) if item["runs"] else _figures_of_points(item)),
            len(item["runs"]) - 1 if item["runs"] else "",
            format_vnd(item["charged_vnd"]),
        )
        for item in items
    ]
    headings = (
        *(_("Campaign"), _("Kind"), _("Name"), _("Project"), _("By"), _("State"), _("Passed")),
        *(_("Failed"), _("No verdict"), _("Tasks"), _("Reruns"), _("Cost")),
    )
    out.print(table(headings, rows, right=(6, 7, 8, 9, 10, 11)))


@campaign.command("show")
def show(campaign_id: CampaignId, *, run: RunNumber = 0, as_json: Json = False) -> None:
    """Show a campaign: its runs, and what failed in one of them by cause."""
    with open_portal() as portal:
        wanted = resolve(portal, campaign_id)
        found = portal.get(f"/campaigns/{wanted}")
        groups = portal.get(f"/campaigns/{wanted}/failures", run=run)["items"]
    if as_json:
        print_json({**found, "failures": groups})
        return
    out.print(f"{found['name']}  {found['id']}", markup=False)
    out.print(_runs(found["runs"]))
    for one in found["runs"]:
        if one["stopped_by"]:
            text = _(STOPPED[one["stopped_by"]])
            out.print(_("Run {number} was {why}", number=one["number"], why=text), markup=False)
    if groups:
        out.print(_groups(groups))


campaign.command("compare")(campaign_history.compare)
campaign.command("history")(campaign_history.history)


@campaign.command("rerun")
def rerun(
    campaign_id: CampaignId,
    *,
    new_seeds: Annotated[bool, typer.Option("--new-seeds", help="With other random sequences.")] = False,
    waves: Annotated[bool, typer.Option("--waves/--no-waves", help="Record waveforms.")] = True,
    run: Annotated[
        int | None, typer.Option("--run", min=0, help="Whose failures; default: the last.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow until it has ended.")] = False,
) -> None:
    """Run again what did not pass, as a new job of the campaign; prints the job's id."""
    with open_portal() as portal:
        wanted = resolve(portal, campaign_id)
        body = {"new_seeds": new_seeds, "with_waves": waves, "run": run}
        made = portal.post(f"/campaigns/{wanted}/reruns", body, idempotency_key=str(uuid.uuid4()))["id"]
        out.print(made)
        if wait:
            require_success(follow_job(portal, made))


@campaign.command("stop")
def stop(campaign_id: CampaignId) -> None:
    """Cancel what waits and what runs of a campaign."""
    with open_portal() as portal:
        stopped = portal.post(f"/campaigns/{resolve(portal, campaign_id)}/stop", {})["job_ids"]
    err.print(_("Asked to stop.") if stopped else _("Nothing of it goes on."))


@campaign.command("export")
def export(
    campaign_id: CampaignId,
    *,
    form: Annotated[
        str, typer.Option("--format", "-f", metavar="junit|csv|json", help="Of the file.")
    ] = "junit",
    run: RunNumber = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: the terminal.")] = None,
) -> None:
    """Write a run as JUnit XML, CSV or JSON for CI systems and spreadsheets."""
    with open_portal() as portal:
        content = portal.download(f"/campaigns/{resolve(portal, campaign_id)}/export", format=form, run=run)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def _sources(file: Path, text: str, folders: Sequence[Path]) -> dict[str, str]:
    """The texts that go along, by path from the file's folder: those that it names, or all there are."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raw = {}  # the portal says what is wrong with it, with the line
    named = raw.get("sources") or []
    wanted = (*_SOURCES, ".py") if raw.get("cocotb") else _SOURCES
    paths = [file.parent / str(name) for name in named] if isinstance(named, list) else []
    headers = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in wanted]
    if paths:
        headers = [path for path in headers if path.suffix in (".svh", ".vh", ".py")]
    found: dict[str, str] = {}
    for path in (*paths, *headers):
        try:
            name = path.relative_to(file.parent).as_posix()
        except ValueError as error:
            raise UsageProblem(
                _("{path} does not lie under {folder}.", path=path, folder=file.parent)
            ) from error
        found.setdefault(name, read_text(path))
    return found


def _store(raw: dict[str, Any], path: Sequence[str], value: str) -> None:
    for name in path[:-1]:
        raw = raw.setdefault(name, {})
    raw[path[-1]] = value


def _figures(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        *(run["state"], run["passed"], run["failed"]),
        *(run["no_verdict"], run["tasks_total"]),
    )


def _figures_of_points(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of a sweep or corners, whose job's results say what became of each."""
    return item["state"], "", "", "", item["tasks_total"]


def _runs(runs: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (
            one["number"],
            _(KINDS[one["kind"]]),
            *_figures(one),
            one["never_ran"],
            format_vnd(one["charged_vnd"]),
            render.short_id(one["job_id"]),
        )
        for one in runs
    ]
    headings = (
        *(_("Run"), _("What"), _("State"), _("Passed"), _("Failed"), _("No verdict")),
        *(_("Tasks"), _("Never ran"), _("Cost"), _("Job")),
    )
    return table(headings, rows, right=(0, 3, 4, 5, 6, 7, 8))


def _groups(groups: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (group["count"], group["signature"], group["first"]["label"], group["shortest"]["label"])
        for group in groups
    ]
    return table((_("Count"), _("Failure"), _("First"), _("Shortest")), rows, right=(0,))
