"""What is written into a file is read back by another program, to the đồng and to the last diacritic."""

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from pypdf import PdfReader

from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Share, Span, Table
from hpc_portal.app.reports.files.to_csv import BYTE_ORDER_MARK, csv_lines, write_csv
from hpc_portal.app.reports.files.to_pdf import write_pdf
from hpc_portal.app.reports.files.to_xlsx import write_xlsx

MADE_AT = datetime(2026, 11, 26, 1, 30, 15, 123456, tzinfo=UTC)


def vnd(amount: int) -> Amount:
    return Amount("VND", amount)


COLUMNS = (
    Column("resource", "Tài nguyên"),
    Column("opening", "Số dư đầu kỳ", is_number=True),
    Column("closing", "Số dư cuối kỳ", is_number=True),
    Column("used", "Tỷ lệ đã dùng", is_number=True),
    Column("wait", "Chờ trung bình", is_number=True),
    Column("on", "Hết vào"),
)
ROWS: tuple[tuple[Cell, ...], ...] = (
    (
        "Tiền (₫)",
        vnd(1_250_000_000),
        vnd(-15),
        Share(1, 8),
        Span(3700),
        date(2026, 12, 6),
    ),
    ("GPU H100 (giờ)", Amount("gres/gpu:h100", 5400), Amount("gres/gpu:h100", 1), Share(0, 0), None, None),
)


def document(language: str = "vi", rows: Sequence[Sequence[Cell]] = ROWS) -> Document:
    return Document(
        key="statement-vi-mach-2026-11",
        edition=Edition(language, MADE_AT),
        title="Sao kê tháng 11/2026",
        subtitle="Dự án vi-mạch, Thiết kế vi mạch, Trường Đại học Bách khoa",
        facts=(("Trạng thái", "Chưa khóa sổ"),),
        tables=(Table("budget", "Ngân sách", COLUMNS, rows, note="Ghi chú: số dư cuối kỳ."),),
        notes=("Nguyễn Thị Ngọc Ẩn đã duyệt: “ưu đãi” khởi nghiệp.",),
        warning="Tháng này chưa khóa sổ: các con số còn thay đổi.",
    )


def sheet_of(made: bytes) -> Worksheet:
    sheet = load_workbook(io.BytesIO(made)).active
    assert isinstance(sheet, Worksheet)
    return sheet


def test_csv_is_exact_and_for_programs() -> None:
    rows = list(csv.reader(io.StringIO(write_csv(document().tables[0]))))
    assert rows == [
        ["resource", "opening", "closing", "used", "wait", "on"],
        ["Tiền (₫)", "1250000000", "-15", "0.125", "3700", "2026-12-06"],
        ["GPU H100 (giờ)", "5400", "1", "", "", ""],
    ]


def test_csv_ends_lines_as_rfc_4180_says_and_has_a_mark_for_excel_when_asked() -> None:
    text = write_csv(document().tables[0], with_mark=True)
    assert text.startswith(BYTE_ORDER_MARK)
    assert text.count("\r\n") == 3
    assert not write_csv(document().tables[0]).startswith(BYTE_ORDER_MARK)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_runs_a_name_as_a_formula(text: str) -> None:
    (_, row) = csv.reader(io.StringIO("".join(csv_lines(["name"], [[text]]))))
    assert row == [f"'{text}"]
    assert "<f>" not in _sheet_xml(write_xlsx(document(rows=[(text, *ROWS[0][1:])])))


def _sheet_xml(made: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(made)) as parts:
        return parts.read("xl/worksheets/sheet1.xml").decode()


@settings(deadline=None)
@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_whatever_is_in_a_cell_csv_brings_it_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO("".join(csv_lines(["a", "b"], rows)), newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in read[1:]] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]


def test_a_workbook_has_numbers_as_numbers_and_dong_as_dong() -> None:
    sheet = sheet_of(write_xlsx(document()))
    cells = {str(cell.value): cell for row in sheet.iter_rows() for cell in row if cell.value is not None}
    row = int(cells["Tiền (₫)"].row or 0)
    money = sheet.cell(row, 2)
    assert (money.value, money.data_type) == (1_250_000_000, "n")
    assert "₫" in money.number_format
    gpu = sheet.cell(row + 1, 2)
    assert (gpu.value, gpu.number_format) == (1.5, "#,##0.00")
    share = sheet.cell(row, 4)
    assert (share.value, share.number_format) == (0.125, "0.0%")
    assert sheet.cell(row, 6).value == datetime(2026, 12, 6)  # noqa: DTZ001 - Excel knows no zones
    assert sheet.title == "Ngân sách"
    assert sheet["A1"].value == "Sao kê tháng 11/2026"
    assert sheet["A3"].value == "Tháng này chưa khóa sổ: các con số còn thay đổi."


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_pdf_keeps_every_letter_of_vietnamese(language: str) -> None:
    reader = PdfReader(io.BytesIO(write_pdf(document(language))))
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    for expected in (
        "Sao kê tháng 11/2026",
        "Trường Đại học Bách khoa",
        "Nguyễn Thị Ngọc Ẩn đã duyệt: “ưu đãi” khởi nghiệp.",
        "1.250.000.000" if language == "vi" else "1,250,000,000",
        "Số dư cuối kỳ",
    ):
        assert expected in text
    assert reader.metadata is not None
    assert reader.metadata.title == "Sao kê tháng 11/2026"
    assert str(reader.trailer["/Root"]["/Lang"]).startswith(language)  # type: ignore[index]
    assert "/StructTreeRoot" in reader.trailer["/Root"]  # type: ignore[operator]


def test_a_name_with_letters_that_no_font_has_is_no_reason_to_fail() -> None:
    """Found by Schemathesis: an archive's PDF may not hold them, and the library refuses."""
    named = replace(document(), title="Dự án \U0003ccf2 芯片 \U0001f680 của Ẩn")
    text = PdfReader(io.BytesIO(write_pdf(named))).pages[0].extract_text()
    assert "Dự án ? ?? ? của Ẩn" in " ".join(text.split())


def test_control_characters_in_a_name_are_no_reason_to_fail() -> None:
    """Found by Schemathesis: JSON writes them as letters that every font has."""
    named = replace(document(), title="Dự án \x1e\x07 của\x7f Ẩn")
    text = PdfReader(io.BytesIO(write_pdf(named))).pages[0].extract_text()
    assert "Dự án ?? của? Ẩn" in " ".join(text.split())


def test_the_same_facts_make_the_same_pdf() -> None:
    assert write_pdf(document()) == write_pdf(document())


def test_markup_in_a_name_is_a_name() -> None:
    hostile = '#panic("x") *đậm* $x$ \\ [ ] <a> `raw` @ref // gone'
    made = write_pdf(document(rows=[(hostile, *ROWS[0][1:])]))
    text = "".join(PdfReader(io.BytesIO(made)).pages[0].extract_text().split())
    assert '#panic("x")*đậm*' in text
    assert "//gone" in text


def test_many_rows_go_over_pages_with_their_header_on_each() -> None:
    reader = PdfReader(io.BytesIO(write_pdf(document(rows=ROWS * 60))))
    assert len(reader.pages) > 2
    assert all("Số dư đầu kỳ" in " ".join(page.extract_text().split()) for page in reader.pages[:3])
