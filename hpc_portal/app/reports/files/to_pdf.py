"""A document as PDF/A for archives, tagged for screen readers; the same facts make the same bytes."""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import typst

from hpc_portal.app.reports.document import Cell, Document, Table
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.written import write

LAYOUT = Path(__file__).with_name("document.typ")
_ARCHIVED: Literal["a-2a"] = "a-2a"
_ACCESSIBLE: Literal["ua-1"] = "ua-1"


_WITHOUT_A_LETTER = re.compile(
    r"[^\x20-\x7e\xa0-\u017f\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9\u2013\u2014\u2018-\u201d\u2026\u20ab\u2192\u2212]"
)
"""What the fonts may lack; they have every letter of Vietnamese and of other languages in Latin letters."""


def write_pdf(document: Document) -> bytes:
    """Laid out by Typst with the fonts that it carries.

    The document travels as data beside the layout: no text of it is ever read as markup. An archive's PDF may
    hold no letter that its fonts lack: where a name has one, every such letter is a question mark.
    """
    facts = laid_out(document)
    try:
        return _compiled(facts, document)
    except typst.TypstError as problem:
        if "could not be displayed" not in str(problem):
            raise
        return _compiled(_legible(facts), document)


def _legible(value: object) -> object:
    """Letter by letter before it is JSON, which would hide control characters behind letters."""
    match value:
        case str():
            return _WITHOUT_A_LETTER.sub("?", unicodedata.normalize("NFC", value))
        case list():
            return [_legible(one) for one in value]
        case dict():
            return {name: _legible(one) for name, one in value.items()}
        case _:
            return value


def _compiled(facts: object, document: Document) -> bytes:
    text = json.dumps(facts, ensure_ascii=False)
    return typst.compile(
        LAYOUT.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"document": text},
        pdf_standards=[_ARCHIVED, _ACCESSIBLE],
        timestamp=document.edition.made_at.replace(microsecond=0),
    )


def laid_out(document: Document) -> dict[str, object]:
    """Every value as text, which is all that the layout needs."""
    language = document.edition.language
    return {
        "language": language,
        "title": document.title,
        "subtitle": document.subtitle,
        "warning": document.warning,
        "facts": [list(fact) for fact in document.facts],
        "notes": list(document.notes),
        "made": say(
            "made_at",
            document.edition.language,
            at=write(document.edition.made_at, document.edition.language),
        ),
        "page": say("page", language),
        "portal": say("portal", language),
        "tables": [_table(table.for_people(), language) for table in document.tables],
    }


def _table(table: Table, language: str) -> dict[str, object]:
    return {
        "title": table.title,
        "note": table.note,
        "columns": [{"title": column.title, "is_number": column.is_number} for column in table.columns],
        "rows": [_row(row, language) for row in table.rows],
        "total": None if table.total is None else _row(table.total, language),
    }


def _row(cells: Sequence[Cell], language: str) -> list[str]:
    return [write(cell, language) for cell in cells]
