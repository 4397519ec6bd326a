"""Bring the pages' Vietnamese catalogue up to date with the texts in the code, or check that it is.

python scripts/messages.py          add new texts, drop those that are gone
python scripts/messages.py --check  change nothing; say what is missing and exit with 1
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PO = ROOT / "hpc_portal" / "web" / "locales" / "vi" / "LC_MESSAGES" / "messages.po"
_KEYWORDS = {
    "gettext": None,
    "N_": None,
    "ngettext": (1, 2),
    "Problem": (2,),
    "ProblemKind": (3,),
    "InvalidAmount": (2,),
    "AllocationStateRefused": (3,),
    "RefundCaseRefused": (2,),
    "Misfit": (2,),
    "InvalidJobSpec": (2,),
    "DirectiveProblem": (3,),
}
"""Functions and errors that take a text to translate, and which of their arguments it is."""
_SOURCES = (
    ("hpc_portal/web/templates", "**.html", "jinja2"),
    ("hpc_portal/web", "**.py", "python"),
    ("hpc_portal/api", "**.py", "python"),
    ("hpc_portal/app", "**.py", "python"),
    ("hpc_portal/auth", "**.py", "python"),
    ("workloads", "**.py", "python"),
    ("quotas", "**.py", "python"),
    ("schedulers", "**.py", "python"),
)


def main() -> int:
    """Update or check; the exit code."""
    catalogue = _stored()
    before = _written(catalogue)
    catalogue.update(_extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    after = _written(catalogue)
    missing = [
        str(message.id)
        for message in catalogue
        if message.id and (message.fuzzy or not _is_translated(message.string))
    ]
    if "--check" in sys.argv[1:]:
        for text in missing:
            sys.stderr.write(f"not translated: {text}\n")
        if before != after:
            sys.stderr.write("the catalogue is out of date: run scripts/messages.py\n")
        return int(bool(missing) or before != after)
    PO.parent.mkdir(parents=True, exist_ok=True)
    PO.write_bytes(after)
    sys.stdout.write(f"{len(catalogue)} texts, {len(missing)} without a translation\n")
    return 0


def _stored() -> Catalog:
    if not PO.exists():
        return Catalog(locale="vi", project="HPC Da Nang")
    with PO.open("rb") as file:
        return read_po(file, locale="vi")


def _extracted() -> Catalog:
    found = Catalog(project="HPC Da Nang")
    options = {"**.html": {"newstyle_gettext": "true", "trimmed": "true", "extensions": "jinja2.ext.i18n"}}
    for folder, pattern, method in _SOURCES:
        for filename, _line, message, _comments, context in extract_from_dir(
            ROOT / folder, [(pattern, method)], options, keywords=_KEYWORDS
        ):
            found.add(message, None, [(f"{folder}/{filename}", 0)], context=context)
    return found


def _written(catalogue: Catalog) -> bytes:
    """Without dates and line numbers: the file changes only when a text does."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=100, sort_output=True, omit_header=True, include_lineno=False)
    header = b'msgid ""\nmsgstr ""\n"Language: vi\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    return header + b'"Plural-Forms: nplurals=1; plural=0;\\n"\n\n' + buffer.getvalue()


def _is_translated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    if string is None or isinstance(string, str):
        return bool(string)
    return bool(string) and all(string)


if __name__ == "__main__":
    sys.exit(main())
