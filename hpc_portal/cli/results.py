"""What a job achieved: verdicts, failures in groups, metrics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.text import Text

from hpc_portal.cli import render
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json
from hpc_portal.cli.render import out, print_json

_GLYPHS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "no_verdict": ("?", "yellow")}


def results(job_id: JobId, *, as_json: Json = False) -> None:
    """Show verdicts, failures and metrics as far as they are known; a running job shows a part."""
    with open_portal() as portal:
        found = portal.get(f"/jobs/{resolve_job(portal, job_id)}/results")
    if as_json:
        print_json(found)
        return
    out.print(_summary(found["tasks"]))
    if found["campaign"]:
        out.print(_matrix(found))
    if failures := _failures(found["tasks"]):
        out.print(failures)
    if metrics := [*found["metrics"], *(series_end(item) for item in found["series"] if item["points"])]:
        rows = [(item["name"], f"{item['value']:g}", item["unit"]) for item in metrics]
        out.print(render.table((_("Metric"), _("Value"), _("Unit")), rows, right=(1,)))
    for table in found["tables"]:
        out.print(f"\n[bold]{escape(table['title'])}[/bold]")
        out.print(_table(table))


def series_end(series: Mapping[str, Any]) -> dict[str, Any]:
    """The last point of a curve, as a metric."""
    return {"name": series["name"], "value": series["points"][-1][1], "unit": series["unit"]}


def _table(table: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    titles = [f"{one['title']} ({one['unit']})" if one["unit"] else one["title"] for one in table["columns"]]
    numbers = [
        place for place in range(len(titles)) if not any(isinstance(row[place], str) for row in table["rows"])
    ]
    return render.table(titles, [list(map(_cell, row)) for row in table["rows"]], right=numbers)


def _cell(value: object) -> str:
    """A text as it is, a number with six digits, `-` where there is no valid value."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _summary(tasks: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(str(task["verdict"]) for task in tasks)
    return _(
        "{passed} passed, {failed} failed, {unknown} without a verdict",
        passed=counts["pass"],
        failed=counts["fail"],
        unknown=counts["no_verdict"],
    )


def _matrix(found: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    """Rows by columns of the campaign; one glyph a task, so that a wide campaign still fits."""
    verdicts = {task["task_index"]: str(task["verdict"]) for task in found["tasks"]}
    columns = list(dict.fromkeys(cell["column"] for cell in found["campaign"]))
    rows: dict[str, dict[str, str]] = {}
    for cell in found["campaign"]:
        rows.setdefault(cell["row"], {})[cell["column"]] = verdicts.get(cell["task_index"], "")
    made = render.table(("", " ".join(columns)), ())
    for row, cells in rows.items():
        line = Text()
        for column in columns:
            glyph, style = _GLYPHS.get(cells.get(column, ""), ("·", "dim"))
            line.append(f"{glyph:<{len(column) + 1}}", style=style)
        made.add_row(row, line)
    return made


def _failures(tasks: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    """Failures grouped by their signature, the most frequent first, with one example each."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for task in tasks:
        if task["failure"]:
            groups.setdefault(task["failure"]["signature"], []).append(task)
    rows = [
        (
            len(group),
            signature,
            group[0]["label"],
            f"{group[0]['failure']['file']}:{group[0]['failure']['line_number']}",
        )
        for signature, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    return (
        render.table((_("Count"), _("Failure"), _("Example"), _("Where")), rows, right=(0,)) if rows else None
    )
