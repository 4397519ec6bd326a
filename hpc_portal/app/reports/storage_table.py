"""What was stored, as a table of a statement or a report."""

from collections.abc import Sequence

from hpc_portal.app.reports.document import Bytes, Cell, Column, Table
from hpc_portal.app.reports.phrases import say
from quotas.storage_report import StorageUsed


def storage_table(
    lines: Sequence[tuple[Sequence[Cell], StorageUsed]], heads: Sequence[Column], language: str
) -> Table:
    """A line for each of them, which begins with what `heads` say of it. Pure."""
    numbers = {"days": "measured_days", "average_bytes": "stored_average", "byte_days": "stored_days"}
    columns = [Column(key, say(text, language), is_number=True) for key, text in numbers.items()]
    return Table(
        key="storage",
        title=say("stored", language),
        columns=[*heads, *columns],
        rows=[[*names, used.days, Bytes(used.average_bytes), Bytes(used.byte_days)] for names, used in lines],
        note=say("stored_note", language),
    )
