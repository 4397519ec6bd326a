"""Read a site template's TOML text: a document to publish, or every problem with its line and key."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from workloads.errors import FieldProblem, InvalidSiteTemplate
from workloads.site.check import check
from workloads.site.document import Document
from workloads.template import N_
from workloads.toml_lines import Key, line_of

LONGEST_DOCUMENT = 256 * 1024
_PLACE = re.compile(r"\s*\(at line (\d+), column \d+\)$")
_TYPES = frozenset(
    {"integer", "number", "boolean", "choice", "word", "path", "text", "list", "files", "file"}
)


def read_document(text: str, *, source: str = "template.toml") -> Document:
    """The document, wholly checked.

    Args:
        text: TOML.
        source: the file's name, for messages.

    Raises:
        InvalidSiteTemplate: every problem, each with its line and key.
    """
    if len(text.encode()) > LONGEST_DOCUMENT:
        too_long = N_("The document is longer than 256 KiB.")
        raise InvalidSiteTemplate(source, [FieldProblem("document", too_long, "too_long", too_long)])
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSiteTemplate(source, [_not_toml(error, text)]) from error
    try:
        document = Document.model_validate(raw)
    except ValidationError as error:
        problems = [_problem(item, text) for item in error.errors(include_url=False)]
        raise InvalidSiteTemplate(source, problems) from error
    if problems := [_in_document(placed(one, text), text) for one in check(document)]:
        raise InvalidSiteTemplate(source, problems)
    return document


def placed(problem: FieldProblem, text: str) -> FieldProblem:
    """A problem with the line of its key in the document, where it has no place yet."""
    if problem.place:
        return problem
    parts = [int(part) if part.isdecimal() else part for part in problem.field.split(".")]
    return replace(problem, place=str(line_of(text, parts)))


def _not_toml(error: tomllib.TOMLDecodeError, text: str) -> FieldProblem:
    words = str(error)
    found = _PLACE.search(words)
    line = found[1] if found else str(text.count("\n") + 1)
    sentence = N_("This is not TOML: %(problem)s.")
    facts = {"problem": _PLACE.sub("", words)}
    return FieldProblem("document", sentence % facts, "toml", sentence, facts, line)


def _problem(item: Any, document: str) -> FieldProblem:  # noqa: ANN401 - pydantic's own
    key = _key_of(item["loc"])
    kind, facts = item["type"], dict(item.get("ctx", {}))
    message = item["msg"].removeprefix("Value error, ")
    text = ""
    if kind == "string_pattern_mismatch":
        text = N_("%(given)r is not allowed here; it must match %(pattern)s.")
        facts = {"given": str(item.get("input"))[:60], "pattern": facts.get("pattern", "")}
        message = text % facts
    elif kind == "literal_error":
        text = N_("Choose one of %(expected)s.")
        message = text % facts
    elif kind == "union_tag_invalid":
        text = N_("%(tag)r is no type of parameter. Choose one of %(expected)s.")
        key = (*key, "type")
        facts = {"tag": facts.get("tag", ""), "expected": ", ".join(sorted(_TYPES))}
        message = text % facts
    elif kind == "extra_forbidden":
        text = N_("There is no such key here. Look at its spelling and under which table it stands.")
        message = text
    elif kind == "missing":
        text = N_("This key is missing.")
        message = text
    return placed(FieldProblem(_dotted(key), message, kind, text, facts), document)


def _key_of(location: Sequence[str | int]) -> Key:
    """The key's own parts: pydantic puts a parameter's type between them, and `[key]` after a bad key."""
    parts = [part for part in location if part != "[key]"]
    if len(parts) > 2 and parts[0] == "parameters" and parts[2] in _TYPES:  # noqa: PLR2004 - parameters.NAME.TYPE
        del parts[2]
    return tuple(parts)


def _dotted(key: Key) -> str:
    return ".".join(map(str, key)) or "document"


def _in_document(problem: FieldProblem, text: str) -> FieldProblem:
    """A line of the script as a line of the document."""
    if problem.field != "script" or not problem.place:
        return problem
    begins = text.splitlines()[_line_of_script(text) - 1].rstrip().endswith(("'''", '"""'))
    return replace(problem, place=str(_line_of_script(text) + int(problem.place) - (0 if begins else 1)))


def _line_of_script(text: str) -> int:
    return line_of(text, ["script"])
