"""A report on a terminal: as the API tells it, or as a document made on this machine."""

import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from hpc_portal.app.reports.document import Bytes, Document
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.reports.written import amount_text, number, span, write
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.render import err, out, table
from quotas.money import VND
from schedulers import tres

_FOR_PROGRAMS = frozenset({"unit", "allocation_id"})
_UNKNOWN = "\N{EN DASH}"
_ASSETS = {"mib_seconds": tres.MEM, "vnd": VND}
"""What columns count whose names end so; other seconds are hours of something."""


_ITEMS = {"list_price": "gross", "subsidy": "subsidy", "net": "net"}
"""Of a statement's costs: the phrase that says each."""


def print_report(report: Mapping[str, Any]) -> None:
    """The tables of a reply of the API."""
    out.print(f"{report['title']}  {report['subtitle']}", style="bold")
    if report["warning"]:
        err.print(report["warning"], style="yellow")
    for note in report["notes"]:
        out.print(note)
    for found in report["tables"]:
        columns = [column for column in found["columns"] if column["key"] not in _FOR_PROGRAMS]
        keys = [column["key"] for column in columns]
        rows = [*found["rows"], *([found["total"]] if found["total"] else [])]
        right = [place for place, key in enumerate(keys) if any(_is_number(row[key]) for row in rows)]
        cells = [[_shown(key, row[key], row) for key in keys] for row in rows]
        out.print(table([column["title"] for column in columns], cells, right=right))


def print_document(document: Document) -> None:
    """The tables of a document."""
    language = document.edition.language
    out.print(f"{document.title}  {document.subtitle}", style="bold")
    if document.warning:
        err.print(document.warning, style="yellow")
    for note in document.notes:
        out.print(note)
    for found in document.tables:
        shown = found.for_people()
        rows = [*shown.rows, *([shown.total] if shown.total else [])]
        right = [place for place, column in enumerate(shown.columns) if column.is_number]
        cells = [[write(cell, language) for cell in row] for row in rows]
        out.print(table([column.title for column in shown.columns], cells, right=right))


def store(content: bytes, path: Path) -> None:
    """Write a file, or standard output for `-`.

    Raises:
        CliError: it cannot be written.
    """
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        message = _("{path} cannot be written ({problem}).", path=path, problem=error.strerror)
        raise CliError(message) from error
    err.print(_("Wrote {path}.", path=path))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _shown(key: str, value: object, row: Mapping[str, Any]) -> str:
    language = active()
    match value:
        case None | "":
            return _UNKNOWN
        case float():
            return f"{number(Fraction(round(1000 * value), 10), language, 1)} %"
        case int():
            return _count(key, value, row, language)
    return _named(key, str(value), language)


def _count(key: str, value: int, row: Mapping[str, Any], language: str) -> str:
    """A whole number in the unit that its column has."""
    if key.endswith("wait_seconds"):
        return span(value, language)
    if "byte" in key:
        return write(Bytes(value), language)
    asset = _asset(key, row)
    return amount_text(asset, value, language) if asset else number(Fraction(value), language)


def _named(key: str, value: str, language: str) -> str:
    """A word of programs as people say it."""
    if key == "item" and value in _ITEMS:
        return say(_ITEMS[value], language)
    return asset_name(value, language) if key == "asset" else value


def _asset(key: str, row: Mapping[str, Any]) -> str:
    """What the column counts; "" for plain numbers such as days and runs."""
    for end, asset in _ASSETS.items():
        if key.endswith(end):
            return asset
    if "unit" in row and key != "days_left":
        return str(row["asset"])
    return tres.CPU if key.endswith("_seconds") else ""
