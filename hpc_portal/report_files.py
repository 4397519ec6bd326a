"""A report as a download: the same for the API and for pages."""

from collections.abc import Iterator
from enum import StrEnum
from typing import assert_never

from starlette.responses import Response, StreamingResponse

from hpc_portal.app.errors import NotFound
from hpc_portal.app.reports.audit_rows import Rows
from hpc_portal.app.reports.document import Document
from hpc_portal.app.reports.files.to_csv import write_csv
from hpc_portal.app.reports.files.to_pdf import write_pdf
from hpc_portal.app.reports.files.to_xlsx import write_xlsx


class Form(StrEnum):
    """The files that a report can be."""

    CSV = "csv"
    """One table of it, for programs: whole numbers, ISO dates."""
    XLSX = "xlsx"
    PDF = "pdf"


MEDIA_TYPES = {
    Form.CSV: "text/csv; charset=utf-8; header=present",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.PDF: "application/pdf",
}
"""As they are sent."""


def download(document: Document, form: Form, *, table: str = "", with_mark: bool = False) -> Response:
    """The document as a file that browsers save.

    Args:
        document: the report.
        form: which file.
        table: for CSV, the key of the table wanted; "" for the first.
        with_mark: for CSV, begin with the byte order mark that Excel needs.

    Raises:
        NotFound: it has no table of that key.
    """
    content: str | bytes
    match form:
        case Form.CSV:
            found = next((one for one in document.tables if table in {"", one.key}), None)
            if found is None:
                raise NotFound("table", table)
            content = write_csv(found, with_mark=with_mark)
        case Form.XLSX:
            content = write_xlsx(document)
        case Form.PDF:
            content = write_pdf(document)
        case _:
            assert_never(form)
    name = f"{document.key}-{table}" if form is Form.CSV and table else document.key
    return Response(content, headers=_headers(f"{name}.{form}", MEDIA_TYPES[form]))


def stream_rows(rows: Rows, name: str, *, as_csv: bool, with_mark: bool = False) -> StreamingResponse:
    """Rows as they are read: neither the server nor the database holds them all."""
    lines: Iterator[str] = rows.as_csv(with_mark=with_mark) if as_csv else rows.as_json()
    ending, kind = ("csv", MEDIA_TYPES[Form.CSV]) if as_csv else ("json", "application/json")
    return StreamingResponse(lines, headers=_headers(f"{name}.{ending}", kind))


def _headers(name: str, kind: str) -> dict[str, str]:
    return {
        "content-type": kind,
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
