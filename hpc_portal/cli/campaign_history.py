"""`hpc campaign compare` and `history`: a campaign beside the others of its name."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_portal.cli.campaign_id import CampaignId, resolve
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json, table
from workloads.template import N_

_CHANGES = {
    "newly_failing": N_("newly failing"),
    "still_failing": N_("still failing"),
    "newly_passing": N_("newly passing"),
}


def compare(campaign_id: CampaignId, *, as_json: Json = False) -> None:
    """Compare with the last campaign of the same name: what fails, what passes again, what is slower."""
    with open_portal() as portal:
        found = portal.get(f"/campaigns/{resolve(portal, campaign_id)}/comparison")
    if as_json:
        print_json(found)
        return
    if found is None:
        out.print(_("It is the first campaign of its name."))
        return
    out.print(_("Compared with {campaign}", campaign=found["before_id"]), markup=False)
    counts = [(_(text), found[name]["count"]) for name, text in _CHANGES.items()]
    out.print(
        table((_("Change"), _("Tasks")), [*counts, (_("slower tests"), len(found["slower"]))], right=(1,))
    )
    cells = [
        (_(text), f"{one['row']} {one['column']}", one["before"], one["now"])
        for name, text in _CHANGES.items()
        for one in found[name]["cells"]
    ]
    if cells:
        out.print(table((_("Change"), _("Task"), _("Before"), _("Now")), cells))
    if found["slower"]:
        out.print(_slower(found["slower"]))
    causes = [(_("New cause"), one) for one in found["new_causes"]]
    causes += [(_("Cause that is gone"), one) for one in found["gone_causes"]]
    if causes:
        out.print(table((_("Change"), _("Failure")), causes))


def history(
    campaign_id: CampaignId,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--csv", help="Write all of it to this file; - is the terminal."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show pass rate, runtime and coverage over the campaigns of the same name, and which tests are flaky."""
    with open_portal() as portal:
        path = f"/campaigns/{resolve(portal, campaign_id)}/history"
        if output is not None:
            content = portal.download(f"{path}/export")
            if str(output) == "-":
                sys.stdout.buffer.write(content)
            else:
                output.write_bytes(content)
            return
        found = portal.get(path)
    if as_json:
        print_json(found)
        return
    rows = [
        (one["created_at"][:16], *_figures(one), _percent(one["coverage_percent"]))
        for one in found["campaigns"]
    ]
    headings = (_("Submitted"), _("Passed"), _("Tasks"), _("Pass rate"), _("A task takes"), _("Coverage"))
    out.print(table(headings, rows, right=(1, 2, 3, 4, 5)))
    newest = [(test["name"], _newest(test["points"])) for test in found["tests"]]
    tests = [
        (name, *_figures(point), "" if point["coverage_points"] is None else round(point["coverage_points"]))
        for name, point in newest
        if point
    ]
    headings = (
        _("Test"),
        _("Passed"),
        _("Tasks"),
        _("Pass rate"),
        _("A task takes"),
        _("Points a task hits"),
    )
    out.print(table(headings, tests, right=(1, 2, 3, 4, 5)))
    if found["flaky"]:
        flaky = [(f"{one['row']} {one['column']}", one["passed"], one["total"]) for one in found["flaky"]]
        out.print(table((_("Flaky"), _("Passed"), _("Times run")), flaky, right=(1, 2)))


def _figures(point: Mapping[str, Any]) -> tuple[Any, ...]:
    rate = 100 * point["passed"] / point["total"] if point["total"] else None
    return point["passed"], point["total"], _percent(rate), f"{point['mean_seconds']:.2f} s"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def _newest(points: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    return next((one for one in reversed(points) if one), None)


def _slower(found: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    rows = [
        (one["row"], one["cells"], f"{one['seconds_before']:.2f} s", f"{one['seconds_now']:.2f} s")
        for one in found
    ]
    return table((_("Slower test"), _("Compared tasks"), _("Before"), _("Now")), rows, right=(1, 2, 3))
