"""A list of students as a teacher pastes it: one a line, or a table with amounts from a spreadsheet; pure."""

import csv
from collections.abc import Mapping, Sequence

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.requests.amounts import NotAnAmount, parse_units
from quotas.amounts import Asset
from quotas.money import VND

_STUDENT = frozenset({"student", "students", "email", "e-mail", "username", "sinh viên", "sinh vien", "mssv"})
"""What the first cell says when the first line is a heading."""
_MONEY = frozenset({"vnd", "đồng", "dong", "₫"})
_LONGEST_TEXT = 100_000

Listed = tuple[str, Mapping[Asset, int]]
"""A user name or address, and what is given to this student alone; nothing for what everybody gets."""


def read_students(text: str) -> list[Listed]:
    """Students with their own amounts, in the units in which people ask: đồng, hours, GiB-hours.

    Without a heading every cell is a student, so that names may be separated by anything usual. With one
    (`email;vnd;gres/gpu:h100`) there is one student a line, and an empty cell is what everybody gets.

    Raises:
        InvalidEntry: with the line that cannot be read.
    """
    if len(text) > _LONGEST_TEXT:
        raise InvalidEntry([Problem("students", "The list is too long. Make several classes of it.")])
    rows = _rows(text)
    if not rows or rows[0][0].lower() not in _STUDENT:
        return [(cell, {}) for row in rows for cell in row if cell]
    assets = [_asset(cell) for cell in rows[0][1:]]
    return [_listed(row, assets, number) for number, row in enumerate(rows[1:], start=2)]


def _rows(text: str) -> list[list[str]]:
    """Cells of the lines that are not empty; a spreadsheet in Vietnamese separates by semicolons."""
    lines = [line for line in text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines() if line.strip()]
    first = lines[0] if lines else ""
    separator = next((mark for mark in "\t;," if mark in first), " " if "@" in first else ",")
    found = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    return [row for row in found if any(row)]


def _asset(cell: str) -> Asset:
    name = cell.lower()
    return VND if name in _MONEY else name


def _listed(row: Sequence[str], assets: Sequence[Asset], number: int) -> Listed:
    lines: dict[Asset, int] = {}
    for asset, cell in zip(assets, row[1:], strict=False):
        if not cell:
            continue
        try:
            lines[asset] = parse_units(asset, cell)
        except NotAnAmount as error:
            facts = {"line": str(number), "cell": cell[:40]}
            raise InvalidEntry(
                [
                    Problem(
                        "students",
                        "Line %(line)s: “%(cell)s” is no amount above zero that can be read in one way only.",
                        facts,
                    )
                ]
            ) from error
    return row[0], lines
