"""What an hour of each resource costs, and who pays less."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json
from quotas.money import format_vnd
from schedulers import tres
from schedulers.units import CITY_TIME


def prices(
    version: Annotated[int, typer.Option("--version", min=0, help="Of this version; default: in force.")] = 0,
    *,
    on: Annotated[str, typer.Option("--on", help="Those at the end of this day, such as 2026-11-01.")] = "",
    as_json: Json = False,
) -> None:
    """Show the prices in force and those to come, and the subsidies that concern you."""
    with open_portal() as portal:
        lists = portal.get("/prices/lists")["items"]
        subsidies = [item for item in portal.get("/subsidies")["items"] if item["standing"] != "past"]
        of_day = portal.get("/prices/at", instant=_end_of(on)) if on else None
    wanted = [
        item
        for item in ([of_day] if of_day else lists)
        if of_day or (item["version"] == version if version else item["standing"] in {"in_force", "coming"})
    ]
    if as_json:
        print_json({"lists": wanted, "subsidies": subsidies})
        return
    if not wanted:
        err.print(_("No prices are in force."))
    for item in wanted:
        out.print(
            _(
                "Version {version}, {standing}, from {instant}",
                version=item["version"],
                standing=standing_of(item["standing"]),
                instant=render.instant(item["valid_from"]),
            )
        )
        out.print(items_table(item["items"]))
    if subsidies:
        out.print(_("Subsidies"))
        out.print(subsidies_table(subsidies))


def _end_of(day: str) -> str:
    """The last moment of a local day, or now where that is still to come."""
    try:
        end = datetime.combine(date.fromisoformat(day), time.max, CITY_TIME)
    except ValueError as error:
        raise UsageProblem(_("{text} is no day such as 2026-11-01.", text=day)) from error
    return min(end, datetime.now(CITY_TIME)).isoformat()


def items_table(items: Iterable[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    """Prices by resource and partition."""
    ordered = sorted(items, key=lambda item: (item["tres"], item["partition"] or ""))
    rows = [
        (item["tres"], item["partition"] or _("all"), rate_of(item["tres"], item["rate_vnd_per_hour"]))
        for item in ordered
    ]
    return render.table((_("Resource"), _("Partition"), _("An hour")), rows, right=(2,))


def subsidies_table(subsidies: Iterable[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    """One rule in each line."""
    rows = [
        (
            item["id"],
            whom_of(item),
            percent_of(item["basis_points"]),
            "" if item["cap_vnd"] is None else format_vnd(item["cap_vnd"]),
            render.instant(item["valid_from"]),
            render.instant(item["valid_to"]) if item["valid_to"] else "",
            standing_of(item["standing"]),
        )
        for item in subsidies
    ]
    columns = (
        *(_("Rule"), _("Whom"), _("The city pays"), _("At most a run")),
        *(_("From"), _("Until"), _("Standing")),
    )
    return render.table(columns, rows, right=(0, 2, 3))


def rate_of(name: str, rate: int | None) -> str:
    """`360 ₫`, of memory `36 ₫ / GiB`; "" for none."""
    if rate is None:
        return ""
    return format_vnd(rate) + (" / GiB" if name == tres.MEM else "")


def percent_of(basis_points: int) -> str:
    """`25 %` or `12.5 %`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".") + " %"


def whom_of(item: Mapping[str, Any]) -> str:
    """Whom a rule is for."""
    parts = (item["organisation"], item["programme"], item["organisation_kind"])
    return ", ".join(filter(None, parts)) or _("everybody")


def standing_of(standing: str) -> str:
    """Where a list or a rule stands."""
    return {
        "coming": _("to come"),
        "in_force": _("in force"),
        "past": _("past"),
        "retired": _("retired"),
    }[standing]
