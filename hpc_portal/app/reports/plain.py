"""The values of a report for programs: whole numbers, shares between 0 and 1, ISO dates. Pure."""

from datetime import UTC, date, datetime

from hpc_portal.app.reports.document import Amount, Bytes, Cell, Month, Named, Share, Span

_DIGITS = 6
"""Of a share."""


def plain(cell: Cell) -> str | int | float | None:  # noqa: PLR0911 - one line for each kind of value
    """The value as JSON and CSV have it; None for what is not known."""
    match cell:
        case Named(value):
            return value
        case Month(first):
            return f"{first:%Y-%m}"
        case Amount(_, amount):
            return amount
        case Bytes(count):
            return count
        case Share():
            return None if cell.ratio is None else round(cell.ratio, _DIGITS)
        case Span(seconds):
            return seconds
        case datetime():
            return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return cell.isoformat()
        case _:
            return cell
