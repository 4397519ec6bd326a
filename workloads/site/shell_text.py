"""Where in a bash script a place lies: in code, between quotes, in a here-document or in a comment; pure.

It is no parser of bash: where it errs, a placeholder is refused that would have been fine.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"\\]?)([A-Za-z_][A-Za-z0-9_]*)\1")


class Place(StrEnum):
    """What the shell takes a character for."""

    CODE = "code"
    SINGLE_QUOTES = "single_quotes"
    DOUBLE_QUOTES = "double_quotes"
    HERE_DOCUMENT = "here_document"
    COMMENT = "comment"


def places(script: str) -> Iterator[tuple[int, str, list[Place]]]:
    """Each line with its number from 1 and the place of each of its characters."""
    state = Place.CODE
    waiting: list[str] = []
    ends: list[str] = []
    for number, line in enumerate(script.split("\n"), start=1):
        if ends:
            yield number, line, [Place.HERE_DOCUMENT] * len(line)
            if line.strip("\t") == ends[0]:
                ends.pop(0)
            continue
        found, state, waiting = _scan(line, state)
        yield number, line, found
        ends = waiting


def _scan(line: str, state: Place) -> tuple[list[Place], Place, list[str]]:
    """The places of one line, the state at its end, and the ends of here-documents that begin after it."""
    found: list[Place] = []
    waiting: list[str] = []
    at = 0
    while at < len(line):
        step, after = 1, state
        rest = line[at:]
        match state, line[at]:
            case (Place.CODE | Place.DOUBLE_QUOTES, "\\"):
                step = 2
            case Place.CODE, "#" if at == 0 or line[at - 1] in " \t;&|(":
                found += [Place.COMMENT] * len(rest)
                return found, state, waiting
            case Place.CODE, "'":
                after = Place.SINGLE_QUOTES
            case Place.CODE, '"':
                after = Place.DOUBLE_QUOTES
            case (Place.SINGLE_QUOTES, "'") | (Place.DOUBLE_QUOTES, '"'):
                after = Place.CODE
            case Place.CODE, "<":
                if rest.startswith("<<<"):
                    step = 3
                elif here := _HERE_DOCUMENT.match(rest):
                    waiting.append(here[2])
                    step = here.end()
        found += [state] * min(step, len(rest))
        at += step
        state = after
    return found, state, waiting
