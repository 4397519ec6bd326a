"""The cluster as it is now: nodes, GPUs, licences."""

from collections.abc import Mapping
from typing import Any

from hpc_portal.cli import render
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json
from schedulers.units import format_memory, format_walltime


def cluster(*, as_json: Json = False) -> None:
    """Show partitions, nodes, GPUs and licences, and what of them is in use."""
    with open_portal() as portal:
        found = portal.get("/clusters")["items"]
    if as_json:
        print_json(found)
        return
    for one in found:
        out.print(f"[bold]{one['name']}[/bold]  {render.instant(one['as_of'])}")
        out.print(_partitions(one))
        out.print(_nodes(one))
        if one["licenses"]:
            out.print(_licenses(one))


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
