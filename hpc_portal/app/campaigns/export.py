"""A run as CSV, JSON or JUnit XML, so that CI systems and spreadsheets understand it.

JUnit has no schema of its own; this is the form that Jenkins and GitLab read: a suite for each test, a case
for each seed. What failed is a failure, what ended without a verdict an error, what never ran is skipped.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.campaigns.cells import cells_of
from hpc_portal.app.campaigns.compare import Before, Place, cells_before, change_of, compare_with_last
from hpc_portal.app.campaigns.history import flaky_cells
from hpc_portal.app.campaigns.queries import CampaignView, RunView
from hpc_portal.app.campaigns.tables import CampaignResult
from workloads.template import Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLUMNS = (
    *("task_index", "test", "column", "verdict", "wall_seconds", "build"),
    *("signature", "line", "file", "line_number"),
    *("before", "before_wall_seconds", "change"),
)


class ExportFormat(StrEnum):
    """What a run can be written as."""

    CSV = "csv"
    JSON = "json"
    JUNIT = "junit"


MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON: "application/json",
    ExportFormat.JUNIT: "application/xml",
}
ENDINGS = {ExportFormat.CSV: "csv", ExportFormat.JSON: "json", ExportFormat.JUNIT: "xml"}


@dataclass(frozen=True, slots=True)
class ExportedTask:
    """One task, run or not."""

    task_index: int
    test: str
    column: str
    verdict: str
    """`pass`, `fail`, `no_verdict`, or `not_run`."""
    wall_seconds: float
    build: str
    signature: str
    line: str
    file: str
    line_number: int
    before: str = ""
    """The verdict of the same cell in the last campaign of the name; empty when it was not in it."""
    before_wall_seconds: float | None = None
    change: str = ""
    """Since then: see `Change`; empty for what passed and passes."""


def export_run(session: Session, campaign: CampaignView, run: RunView, form: ExportFormat) -> bytes:
    """The whole run; that the reader may see it is the caller's to know."""
    before = cells_before(session, campaign) if run.number == 0 else {}
    tasks = list(_tasks(session, run.job_id, before))
    match form:
        case ExportFormat.CSV:
            return _to_csv(tasks)
        case ExportFormat.JSON:
            return _to_json(session, campaign, run, tasks)
        case ExportFormat.JUNIT:
            return _to_junit(campaign, run, tasks)


def _tasks(session: Session, job_id: UUID, before: Mapping[Place, Before]) -> Iterator[ExportedTask]:
    rows = session.connection().execute(
        select(CampaignResult.__table__).where(col(CampaignResult.job_id) == job_id)  # type: ignore[attr-defined]
    )
    found = {row.task_index: row for row in rows}
    for cell in cells_of(session, job_id):
        row = found.get(cell.task_index)
        if row is None:
            yield ExportedTask(cell.task_index, cell.row, cell.column, "not_run", 0.0, "", "", "", "", 0)
        else:
            yield ExportedTask(
                *(row.task_index, row.row_name, row.column_name, row.verdict.value, row.wall_ms / 1000),
                *(row.build, row.signature, row.line, row.file, row.line_number),
                *_change(before.get((row.row_name, row.column_name)), row.verdict),
            )


def _change(before: Before | None, now: Verdict) -> tuple[str, float | None, str]:
    if before is None:
        return "", None, ""
    return before.verdict.value, before.wall_ms / 1000, change_of(before.verdict, now) or ""


def _to_csv(tasks: Sequence[ExportedTask]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([plain(getattr(task, name)) for name in _COLUMNS] for task in tasks)
    return text.getvalue().encode()


def plain(value: object) -> object:
    """A tenant's text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _to_json(session: Session, campaign: CampaignView, run: RunView, tasks: Sequence[ExportedTask]) -> bytes:
    compared = compare_with_last(session, campaign) if run.number == 0 else None
    facts: dict[str, Any] = {
        "campaign": str(campaign.id),
        "name": campaign.name,
        "project": campaign.project,
        "run": run.number,
        "job": str(run.job_id),
        "passed": run.passed,
        "failed": run.failed,
        "no_verdict": run.no_verdict,
        "stopped_by": run.stopped_by,
        "compared_with": str(compared.before_id) if compared else None,
        "slower": [asdict(one) for one in compared.slower] if compared else [],
        "flaky": [asdict(one) for one in flaky_cells(session, campaign)],
        "tasks": [{name: getattr(task, name) for name in _COLUMNS} for task in tasks],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1).encode()


def _to_junit(campaign: CampaignView, run: RunView, tasks: Sequence[ExportedTask]) -> bytes:
    suites: dict[str, list[ExportedTask]] = {}
    for task in tasks:
        suites.setdefault(task.test, []).append(task)
    root = ET.Element("testsuites", {"name": _xml(campaign.name), **_counts(tasks)})
    for name, members in suites.items():
        started = run.submitted_at.strftime("%Y-%m-%dT%H:%M:%S")
        suite = ET.SubElement(
            root, "testsuite", {"name": _xml(name), "timestamp": started, **_counts(members)}
        )
        for task in members:
            _add_case(suite, task)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _counts(tasks: Sequence[ExportedTask]) -> dict[str, str]:
    verdicts = [task.verdict for task in tasks]
    return {
        "tests": str(len(tasks)),
        "failures": str(verdicts.count(Verdict.FAIL)),
        "errors": str(verdicts.count(Verdict.NO_VERDICT)),
        "skipped": str(verdicts.count("not_run")),
        "time": f"{sum(task.wall_seconds for task in tasks):.3f}",
    }


def _add_case(suite: ET.Element, task: ExportedTask) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _xml(task.test),
            "name": _xml(f"{task.test} {task.column}"),
            "time": f"{task.wall_seconds:.3f}",
        },
    )
    kind = {Verdict.FAIL: "failure", Verdict.NO_VERDICT: "error", "not_run": "skipped"}.get(task.verdict)
    if kind is None:
        return
    facts = {} if kind == "skipped" else {"message": _xml(task.line), "type": _xml(task.signature)}
    child = ET.SubElement(case, kind, facts)
    if task.file:
        child.text = _xml(f"{task.file}:{task.line_number}: {task.line}")


def _xml(text: str) -> str:
    """XML 1.0 has no way to say most control characters."""
    return _NOT_XML.sub("\ufffd", text)
