"""A table as CSV (RFC 4180): whole numbers, ISO dates, names for programs; and nothing a spreadsheet runs."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from hpc_portal.app.reports.document import Amount, Cell, Month, Named, Share, Span, Table

BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for the machine's old code page and breaks every Vietnamese letter."""
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: Table, *, with_mark: bool = False) -> str:
    """The whole table; the last row of sums is left to whoever adds them up.

    What whole numbers count is in the name of their column, or in a column `unit`.
    """
    return "".join(csv_lines([column.key for column in table.columns], table.rows, with_mark=with_mark))


def csv_lines(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], *, with_mark: bool = False
) -> Iterator[str]:
    """Line by line, so that any number of rows needs no memory."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if with_mark:
        yield BYTE_ORDER_MARK
    writer.writerow(header)
    yield _taken(buffer)
    for row in rows:
        writer.writerow([plain(cell) for cell in row])
        yield _taken(buffer)


def plain(cell: Cell) -> str | int | float:  # noqa: PLR0911 - one line for each kind of value
    """The value for programs. Texts that a spreadsheet would run as a formula get an apostrophe in front."""
    match cell:
        case None:
            return ""
        case str():
            return _harmless(cell)
        case Named(value):
            return _harmless(value)
        case Month(first):
            return f"{first:%Y-%m}"
        case Amount(_, amount):
            return amount
        case Share():
            return "" if cell.ratio is None else round(cell.ratio, 6)
        case Span(seconds):
            return seconds
        case datetime():
            return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return cell.isoformat()
        case _:
            return cell


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
