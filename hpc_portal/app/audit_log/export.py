"""Write the audit log as CSV (RFC 4180) or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC

from hpc_portal.app.audit_log.read import AuditEntry

CSV_TYPE = "text/csv; charset=utf-8"
JSON_LINES_TYPE = "application/jsonl"
_COLUMNS = tuple(column.name for column in fields(AuditEntry))
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run a cell that begins so; an apostrophe in front makes it text."""


def as_json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One object in each line; instants in UTC, to the microsecond."""
    for entry in entries:
        yield json.dumps({**asdict(entry), "at": _instant(entry)}, ensure_ascii=False) + "\n"


def as_csv(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """A heading and one row for each entry; facts as JSON in one column."""
    yield _row(_COLUMNS)
    for entry in entries:
        facts = json.dumps(entry.facts, ensure_ascii=False, sort_keys=True)
        said = (entry.username or "", entry.address, entry.action, entry.subject, facts)
        yield _row((entry.sequence, _instant(entry), *map(_text, said), entry.previous_hash, entry.hash))


def _instant(entry: AuditEntry) -> str:
    return entry.at.astimezone(UTC).isoformat(timespec="microseconds")


def _text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _row(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
