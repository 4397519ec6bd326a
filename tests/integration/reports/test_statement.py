"""A statement in every form says the same, to the đồng."""

import csv
import io
from datetime import date

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from hpc_portal.app.errors import NotAllowed, NotFound, ProjectNotFound
from hpc_portal.app.reports.document import Amount, Document, Edition, Named
from hpc_portal.app.reports.files.to_csv import write_csv
from hpc_portal.app.reports.files.to_pdf import write_pdf
from hpc_portal.app.reports.files.to_xlsx import write_xlsx
from hpc_portal.app.reports.statement_document import organisation_statement, project_statement
from hpc_portal.app.reports.written import write
from tests.integration.reports.conftest import NOW, Books

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
EN, VI = Edition("en", NOW), Edition("vi", NOW)
GRANTED = 100_000_000


def of_chips(books: Books, month: date, edition: Edition = EN) -> Document:
    with books.city.services.reading() as session:
        return project_statement(
            session.connection(), books.city.chips.lead, "chips", month=month, edition=edition
        )


def line_of(document: Document) -> dict[str, int]:
    """The đồng line by column."""
    budget = document.tables[0]
    [row] = [row for row in budget.rows if isinstance(row[0], Named) and row[0].value == "VND"]
    return {
        column.key: cell.amount
        for column, cell in zip(budget.columns, row, strict=True)
        if isinstance(cell, Amount)
    }


def test_a_month_closes_where_the_next_one_opens(november: Books) -> None:
    october, after = line_of(of_chips(november, OCTOBER)), line_of(of_chips(november, NOVEMBER))
    assert october["opening"] == GRANTED
    assert october["charged"] == -180
    assert october["closing"] == after["opening"] == GRANTED - 180
    assert after["charged"] == -(72_000 + 1_440 + 180)
    assert after["closing"] == GRANTED - 180 - 73_620
    for line in (october, after):
        assert sum(amount for key, amount in line.items() if key != "closing") == line["closing"]


def test_a_statement_says_what_was_stored_on_the_days_that_were_measured(november: Books) -> None:
    assert [table.key for table in of_chips(november, NOVEMBER).tables] == ["budget", "cost"]
    november.store(november.city.chips, {1: 10, 2: 20, 26: 60})
    stored = of_chips(november, NOVEMBER, VI).tables[2]
    assert [column.key for column in stored.columns] == ["days", "average_bytes", "byte_days"]
    assert [[write(cell, "vi") for cell in row] for row in stored.rows] == [["3", "30,00", "90,00"]]
    assert len(of_chips(november, OCTOBER).tables) == 2
    for make in (write_pdf, write_xlsx):
        assert make(of_chips(november, NOVEMBER))


def test_an_open_month_says_that_it_is_provisional_and_a_closed_one_carries_its_fingerprint(
    november: Books,
) -> None:
    assert of_chips(november, OCTOBER).warning
    november.close_through(OCTOBER)
    closed = of_chips(november, OCTOBER)
    assert not closed.warning
    assert [len(value) for label, value in closed.facts if "SHA-256" in label] == [64]
    assert line_of(closed)["closing"] == GRANTED - 180
    assert of_chips(november, NOVEMBER).warning


def test_every_form_has_the_same_figures(november: Books) -> None:
    document = of_chips(november, NOVEMBER, VI)
    expected = line_of(document)
    [row] = [
        row for row in csv.DictReader(io.StringIO(write_csv(document.tables[0]))) if row["asset"] == "VND"
    ]
    assert {key: int(row[key]) for key in expected} == expected
    assert row["unit"] == "VND"

    sheets = load_workbook(io.BytesIO(write_xlsx(document)))
    numbers = {
        cell.value for line in sheets.worksheets[0].iter_rows() for cell in line if cell.data_type == "n"
    }
    assert set(expected.values()) <= numbers
    costs = [[cell.value for cell in line] for line in sheets.worksheets[1].iter_rows()]
    assert ["Thực tính", 73_620] in costs

    text = " ".join(
        " ".join(page.extract_text() for page in PdfReader(io.BytesIO(write_pdf(document))).pages).split()
    )
    for shown in ("Sao kê tháng 11/2026", "99.999.820", "−73.620", "99.926.200", "chưa khóa sổ"):  # noqa: RUF001
        assert shown in text


def test_who_may_not_see_a_project_or_all_of_an_organisation_sees_no_statement(november: Books) -> None:
    rival = november.city.rivals.member
    with november.city.services.reading() as session:
        connection = session.connection()
        with pytest.raises(ProjectNotFound):
            project_statement(connection, rival, "chips", month=NOVEMBER, edition=EN)
        with pytest.raises(NotFound):
            organisation_statement(connection, rival, "chips-org", month=NOVEMBER, edition=EN)
        with pytest.raises(NotAllowed):
            organisation_statement(
                connection, november.city.chips.member, "chips-org", month=NOVEMBER, edition=EN
            )


def test_an_organisation_is_the_sum_of_its_projects(november: Books) -> None:
    with november.city.services.reading() as session:
        whole = organisation_statement(
            session.connection(), november.auditor, "chips-org", month=NOVEMBER, edition=EN
        )
    assert line_of(whole) == line_of(of_chips(november, NOVEMBER))


def test_a_month_before_anything_was_granted_is_empty(november: Books) -> None:
    assert line_of(of_chips(november, date(2026, 1, 1)))["opening"] == 0
    assert of_chips(november, date(2025, 12, 1)).tables[0].rows == []
