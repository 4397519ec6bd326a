"""A report's document as a page: its tables in words, a chart above the first, and links to its files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup, escape
from starlette.responses import Response

from hpc_portal.app.reports.document import Cell, Document, Edition, Named, Table
from hpc_portal.app.reports.written import write
from hpc_portal.report_files import Form, download
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_chart import Chart, chart_of


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table as a page has it."""

    key: str
    title: str
    note: str
    heads: list[tuple[str, bool]]
    """Each with whether it is above numbers."""
    body: Markup
    """Its lines as HTML: in a template each of thousands of cells would go through all that it stands in."""
    shown: int
    """So many lines."""
    lines: int
    """Of the table itself, which may have more."""
    total: list[str] | None
    chart: Chart | None


def edition_for(request: Request) -> Edition:
    """In the reader's language, of this moment."""
    services = request.app.state.services
    return Edition(pages_of(request).language(request).code, services.clock.now())


def answer(  # noqa: PLR0913 - what of which report is shown, and how
    request: Request,
    document: Document,
    template: str,
    facts: Mapping[str, object] | None = None,
    *,
    measure: str = "",
    most_lines: int | None = None,
) -> Response:
    """The page, or the file that the address asks for with `format`.

    Args:
        request: what was asked.
        document: the report.
        template: extends `reports/report.html`.
        facts: more for the template.
        measure: the column that the chart shows.
        most_lines: of a table, unless the address asks for all with `lines=all`; files have all.
    """
    if request.query_params.get("format", "") in set(Form):
        return file_of(request, document)
    language = document.edition.language
    most = None if request.query_params.get("lines") == "all" else most_lines
    tables = [
        _show(table, language, measure if number == 0 else "", most)
        for number, table in enumerate(document.tables)
    ]
    shown = {
        "document": document,
        "tables": tables,
        "file_links": _file_links(request, document),
        "all_lines": f"{request.url.path}?{urlencode([*_asked(request), ('lines', 'all')])}",
    }
    return pages_of(request).render(request, template, {**shown, **(facts or {})})


def file_of(request: Request, document: Document) -> Response:
    """The file that the address asks for with `format` and, for CSV, `table`."""
    form = Form(request.query_params["format"])
    table = request.query_params.get("table", "")
    return download(document, form, table=table, with_mark=form is Form.CSV)


def _show(table: Table, language: str, measure: str, most: int | None) -> ShownTable:
    readable = replace(table, rows=table.rows[:most]).for_people()
    return ShownTable(
        key=table.key,
        title=table.title,
        note=table.note,
        heads=[(column.title, column.is_number) for column in readable.columns],
        body=_body(readable, language),
        shown=len(readable.rows),
        lines=len(table.rows),
        total=None if readable.total is None else [write(cell, language) for cell in readable.total],
        chart=chart_of(table, measure, language) if measure else None,
    )


def _body(table: Table, language: str) -> Markup:
    begins = ['<td class="num">' if column.is_number else "<td>" for column in table.columns]
    lines = (
        "".join(f"{begin}{_cell(cell, language)}</td>" for begin, cell in zip(begins, row, strict=True))
        for row in table.rows
    )
    return Markup("".join(f"<tr>{line}</tr>" for line in lines))  # noqa: S704 - escaped


def _cell(cell: Cell, language: str) -> str:
    """Of names, whatever somebody chose is escaped; what is made of digits need not be."""
    text = write(cell, language)
    return escape(text) if isinstance(cell, str | Named) else text


def _file_links(request: Request, document: Document) -> list[tuple[str, str]]:
    """Names and addresses: the page's own with a format; a CSV for each table."""

    def link(form: Form, table: str = "") -> str:
        more = [("format", form.value), *([("table", table)] if table else [])]
        return f"{request.url.path}?{urlencode([*_asked(request), *more])}"

    several = len(document.tables) > 1
    sheets = [
        (f"CSV: {table.title}" if several else "CSV", link(Form.CSV, table.key if several else ""))
        for table in document.tables
    ]
    return [("PDF", link(Form.PDF)), ("Excel", link(Form.XLSX)), *sheets]


def _asked(request: Request) -> list[tuple[str, str]]:
    """What the address asks for, whatever the form of the answer."""
    return [
        pair for pair in request.query_params.multi_items() if pair[0] not in {"format", "table", "lines"}
    ]
