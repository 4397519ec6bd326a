"""A document as an Excel workbook: numbers are numbers, đồng look like đồng, and no text is a formula."""

import io
from collections.abc import Sequence
from datetime import date, datetime

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from hpc_portal.app.reports.document import (
    Amount,
    Bytes,
    Cell,
    Column,
    Document,
    Month,
    Named,
    Share,
    Span,
    Table,
)
from hpc_portal.app.reports.written import hours, write
from quotas.amounts import BYTES_PER_GIB
from quotas.money import VND
from schedulers.units import CITY_TIME

_LONGEST_SHEET_NAME = 31
_NOT_IN_SHEET_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_VND = "#,##0 [$₫-42A]"
_SECONDS_PER_DAY = 86_400
_NARROWEST, _WIDEST = 9, 48


class _Formats:
    """The looks of cells, made once for a workbook; each also in bold, for totals."""

    def __init__(self, workbook: Workbook, language: str) -> None:
        day = "dd/mm/yyyy" if language == "vi" else "d mmm yyyy"
        looks = {
            "text": {},
            "count": {"num_format": "#,##0"},
            "vnd": {"num_format": _VND},
            "hours": {"num_format": "#,##0.00"},
            "share": {"num_format": "0.0%"},
            "span": {"num_format": "[h]:mm:ss"},
            "day": {"num_format": day, "align": "left"},
            "month": {"num_format": "mm/yyyy" if language == "vi" else "mmm yyyy", "align": "left"},
            "instant": {"num_format": f"{day} hh:mm"},
        }
        top = {"bold": True, "top": 1}
        self.plain = {name: workbook.add_format({"valign": "top", **look}) for name, look in looks.items()}
        self.total = {name: workbook.add_format({**top, **look}) for name, look in looks.items()}
        self.title = workbook.add_format({"bold": True, "font_size": 16})
        self.subtitle = workbook.add_format({"font_size": 11, "font_color": "#56616F"})
        self.warning = workbook.add_format({"bold": True, "font_color": "#B3261E"})
        self.label = workbook.add_format({"font_color": "#56616F"})
        self.header = workbook.add_format(
            {"bold": True, "bg_color": "#E4F0FC", "bottom": 1, "text_wrap": True, "valign": "top"}
        )
        self.header_of_numbers = workbook.add_format(
            {"bold": True, "bg_color": "#E4F0FC", "bottom": 1, "text_wrap": True, "align": "right"}
        )


def write_xlsx(document: Document) -> bytes:
    """One sheet for each table; the first also says what it is, of what time, and how sure."""
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    workbook.set_properties(
        {"title": document.title, "subject": document.subtitle, "created": document.edition.made_at}
    )
    formats = _Formats(workbook, document.edition.language)
    for number, table in enumerate(document.tables):
        sheet = workbook.add_worksheet(_sheet_name(table.title, number))
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        row = _write_head(sheet, document, formats) if number == 0 else 0
        _write_table(sheet, table.for_people(), row, formats, document.edition.language)
    workbook.close()
    return buffer.getvalue()


def _write_head(sheet: Worksheet, document: Document, formats: _Formats) -> int:
    """What the document is; the row where the table begins."""
    sheet.write_string(0, 0, document.title, formats.title)
    sheet.write_string(1, 0, document.subtitle, formats.subtitle)
    row = 2
    if document.warning:
        sheet.write_string(row, 0, document.warning, formats.warning)
        row += 1
    for label, value in document.facts:
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_string(row, 1, value)
        row += 1
    for note in document.notes:
        sheet.write_string(row, 0, note, formats.label)
        row += 1
    return row + 1


def _write_table(sheet: Worksheet, table: Table, first: int, formats: _Formats, language: str) -> None:
    for place, column in enumerate(table.columns):
        header = formats.header_of_numbers if column.is_number else formats.header
        sheet.write_string(first, place, column.title, header)
    for number, row in enumerate(table.rows, start=first + 1):
        _write_row(sheet, number, row, formats.plain)
    last = first + len(table.rows)
    if table.total is not None:
        last += 1
        _write_row(sheet, last, table.total, formats.total)
    if first == 0:
        sheet.freeze_panes(1, 0)
    if table.note:
        sheet.write_string(last + 2, 0, table.note, formats.label)
    for place, width in enumerate(_widths(table, language)):
        sheet.set_column(place, place, width)


def _write_row(sheet: Worksheet, row: int, cells: Sequence[Cell], formats: dict[str, Format]) -> None:  # noqa: C901, PLR0912 - a case for each kind of value
    for place, cell in enumerate(cells):
        match cell:
            case None:
                sheet.write_blank(row, place, None, formats["text"])
            case str():
                sheet.write_string(row, place, cell, formats["text"])
            case Named():
                sheet.write_string(row, place, cell.shown, formats["text"])
            case Month(first):
                sheet.write_datetime(row, place, first, formats["month"])
            case Amount(asset, amount) if asset == VND:
                sheet.write_number(row, place, amount, formats["vnd"])
            case Amount(asset, amount):
                sheet.write_number(row, place, float(hours(asset, amount)), formats["hours"])
            case Bytes(count):
                sheet.write_number(row, place, count / BYTES_PER_GIB, formats["hours"])
            case Share() if cell.ratio is None:
                sheet.write_blank(row, place, None, formats["share"])
            case Share():
                sheet.write_number(row, place, cell.part / cell.whole, formats["share"])
            case Span(seconds):
                sheet.write_number(row, place, seconds / _SECONDS_PER_DAY, formats["span"])
            case datetime():
                local = cell.astimezone(CITY_TIME).replace(tzinfo=None)
                sheet.write_datetime(row, place, local, formats["instant"])
            case date():
                sheet.write_datetime(row, place, cell, formats["day"])
            case int():
                sheet.write_number(row, place, cell, formats["count"])


def _widths(table: Table, language: str) -> list[int]:
    """As wide as the values need; titles are broken into lines."""
    rows = [*table.rows, *([table.total] if table.total is not None else [])]
    return [
        _width(column, [write(row[place], language) for row in rows])
        for place, column in enumerate(table.columns)
    ]


def _width(column: Column, texts: Sequence[str]) -> int:
    longest_word = max((len(word) for word in column.title.split()), default=0)
    return min(max(_NARROWEST, longest_word + 1, *(len(text) + 2 for text in texts), 0), _WIDEST)


def _sheet_name(title: str, number: int) -> str:
    """Unique, and without what Excel refuses."""
    name = title.translate(_NOT_IN_SHEET_NAMES).strip("' ") or f"{number + 1}"
    return name[:_LONGEST_SHEET_NAME] if number == 0 else f"{number + 1} {name}"[:_LONGEST_SHEET_NAME]
