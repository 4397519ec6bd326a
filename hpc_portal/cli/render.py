"""How things look on a terminal: tables, states, đồng, durations, instants; and JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from schedulers.units import CITY_TIME, format_walltime

_PIPE_WIDTH = 200
"""Where nobody looks, lines are better long than broken."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
"""What was asked for."""
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPE_WIDTH)
"""Everything said beside it: progress, questions, errors."""

_STYLES = {
    "PENDING": "yellow",
    "RUNNING": "cyan",
    "SUSPENDED": "yellow",
    "COMPLETED": "green",
    "CANCELLED": "dim",
    "UNKNOWN": "magenta",
    "pass": "green",
    "fail": "red",
    "no_verdict": "yellow",
}
_SHORT_ID_LENGTH = 8


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON
    """One JSON document on stdout, unstyled."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_error(error: CliError) -> None:
    """The message, then one line for each field to change."""
    err.print(Text.assemble((_("Error") + ": ", "bold red"), str(error)), soft_wrap=True)
    for problem in error.fields:
        err.print(Text.assemble("  ", (problem.field, "bold"), ": ", problem.message), soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> Table:
    """A plain table; `right` lists the columns that hold numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for position, column in enumerate(columns):
        made.add_column(column, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else escape(str(cell)) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Names and values below each other; empty values are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            made.add_row(escape(name), value if isinstance(value, Text) else escape(str(value)))
    return made


def state(name: str) -> Text:
    """A state or verdict in its colour; the word itself always says it too."""
    return Text(name, style=_STYLES.get(name, "red"))


def elapsed(seconds: float | None) -> str:
    """`01:02:03`; "" when there is none."""
    return "" if seconds is None else format_walltime(int(seconds))


def instant(text: str | None) -> str:
    """An instant of the API in Da Nang's time; the day only when it is not today."""
    if not text:
        return ""
    local = datetime.fromisoformat(text).astimezone(CITY_TIME)
    today = datetime.now(UTC).astimezone(CITY_TIME).date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def short_id(job_id: str) -> str:
    """The end of an id, which any command takes: ids of one minute begin alike and end apart."""
    return job_id[-_SHORT_ID_LENGTH:]


def is_interactive() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty() and err.is_terminal


def seconds_between(start: str | None, end: str | None) -> float | None:
    """From one instant of the API to another; None while one of them is missing."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
