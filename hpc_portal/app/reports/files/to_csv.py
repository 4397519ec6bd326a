"""A table as CSV (RFC 4180): whole numbers, ISO dates, names for programs; and nothing a spreadsheet runs."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from hpc_portal.app.reports.document import Cell, Table
from hpc_portal.app.reports.plain import plain

BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for the machine's old code page and breaks every Vietnamese letter."""
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n")


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
        writer.writerow([_cell(cell) for cell in row])
        yield _taken(buffer)


def _cell(cell: Cell) -> str | int | float:
    """What is not known is empty; what a spreadsheet would run as a formula gets an apostrophe in front."""
    value = plain(cell)
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_RUN_BY_SPREADSHEETS):
        return f"'{value}"
    return value


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
