"""The clusters as they are now: GPUs, partitions, nodes, licences, reservations, and what does not answer."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import out, print_json
from schedulers.units import format_memory, format_walltime


def clusters(
    name: Annotated[
        str, typer.Argument(metavar="CLUSTER", help="Show the queue and the nodes of this one.")
    ] = "",
    *,
    state: Annotated[
        str | None,
        typer.Option(metavar="free|mine|project|others|drained|down", help="Only nodes with such a GPU."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what the clusters have, what of it is in use, and what of them does not answer."""
    with open_portal() as portal:
        if name:
            _show_one(portal, name, state, as_json=as_json)
            return
        found = portal.get("/clusters")["items"]
    if as_json:
        print_json(found)
        return
    for one in found:
        out.print(f"[bold]{one['name']}[/bold]  {render.instant(one['as_of'])}")
        for notice in _notices(one):
            out.print(f"[yellow]{notice}[/yellow]")
        if one["as_of"] is None:
            continue
        if one["gpus"]:
            out.print(_gpus(one))
        out.print(_partitions(one))
        out.print(_nodes(one))
        if one["licenses"]:
            out.print(_licenses(one))
        if one["reservations"]:
            out.print(_reservations(one))


def _show_one(portal: Portal, name: str, state: str | None, *, as_json: bool) -> None:
    queue = portal.get(f"/clusters/{name}/queue")["items"]
    nodes = portal.get(f"/clusters/{name}/nodes", state=state)["items"]
    if as_json:
        print_json({"queue": queue, "nodes": nodes})
        return
    columns = (_("Partition"), _("Running"), _("Waiting"), _("Usual wait"), _("Yours"), _("Before yours"))
    rows = [
        (
            one["partition"],
            one["tasks_running"],
            one["tasks_waiting"],
            format_walltime(one["wait"]["half_seconds"]) if one["wait"] else "",
            one["own_waiting"],
            "" if one["ahead"] is None else one["ahead"],
        )
        for one in queue
    ]
    out.print(render.table(columns, rows, right=(1, 2, 3, 4, 5)))
    out.print(render.table((_("Node"), _("State"), _("GPUs"), _("CPUs"), _("Jobs")), map(_node_row, nodes)))


def _node_row(node: Mapping[str, Any]) -> tuple[str, ...]:
    words = {
        "free": _("free"),
        "mine": _("mine"),
        "project": _("my projects'"),
        "others": _("others'"),
        "drained": _("drained"),
        "down": _("down"),
    }
    gpus = ", ".join(f"{one['count']} {one['type']} {words[one['use']]}" for one in node["gpus"])
    cpus = f"{node['allocated_cpus']}/{node['cpus']}"
    return (node["name"], node["state"], gpus, cpus, ", ".join(job["name"] for job in node["jobs"]))


def _notices(one: Mapping[str, Any]) -> list[str]:
    """What a person should know before they read the tables."""
    found = []
    for outage in one["outages"]:
        since = render.instant(outage["since"])
        if outage["part"] == "scheduler":
            found.append(_("It has not answered since {time}: jobs are taken, and start later.", time=since))
        else:
            found.append(_("Its accounting has not answered since {time}: charges come later.", time=since))
    if one["as_of"] is None and not found:
        found.append(_("It has not reported yet."))
    if one["account"] is None:
        found.append(_("You have no account there. Ask the city's administrators for one."))
    return found


def _gpus(one: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [(item["type"] or "gpu", f"{item['free']}/{item['total']}") for item in one["gpus"]]
    return render.table((_("GPU"), _("Free")), rows, right=(1,))


def _reservations(one: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (
            item["name"] or _("Reserved for others"),
            len(item["nodes"]),
            render.instant(item["start_at"]),
            render.instant(item["end_at"]),
        )
        for item in one["reservations"]
    ]
    return render.table((_("Reservation"), _("Nodes"), _("From"), _("To")), rows, right=(1,))


def _partitions(one: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (
            item["name"] + ("*" if item["is_default"] else ""),
            len(item["nodes"]),
            format_walltime(item["default_walltime_seconds"]),
            format_walltime(item["max_walltime_seconds"]),
        )
        for item in one["partitions"]
    ]
    columns = (_("Partition"), _("Nodes"), _("Default walltime"), _("Longest walltime"))
    return render.table(columns, rows, right=(1, 2, 3))


def _nodes(one: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (
            node["name"],
            node["state"],
            f"{node['allocated_cpus']}/{node['cpus']}",
            f"{format_memory(node['allocated_memory_mib'])}/{format_memory(node['memory_mib'])}",
            ", ".join(
                f"{kind or 'gpu'} {node['allocated_gpus'].get(kind, 0)}/{count}"
                for kind, count in node["gpus"].items()
            ),
            node["reason"],
        )
        for node in one["nodes"]
    ]
    return render.table((_("Node"), _("State"), _("CPUs"), _("Memory"), _("GPUs"), _("Reason")), rows)


def _licenses(one: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [(item["feature"], f"{item['used']}/{item['total']}") for item in one["licenses"]]
    return render.table((_("Licence"), _("In use")), rows)
