"""Memory that jobs asked for and never touched, of the runs whose peaks were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hpc_portal.app.reports.document import Amount, Cell, Column, Share, Table
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.usage_document import dimension_cell, dimension_column
from quotas.usage_report import Dimension, Usage
from schedulers import tres


def untouched(asked: int, peak: int) -> int:
    """Asked for, and never needed, not even for a moment."""
    return max(asked - peak, 0)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Of several runs: MiB x seconds."""

    runs: int = 0
    asked: int = 0
    peak: int = 0
    """As if each run had needed its peak all the time."""

    @classmethod
    def of(cls, usage: Usage) -> "MemoryUse":
        """The part of a roll-up's sums of which peaks are known."""
        return cls(usage.mem_measured_runs, usage.mem_measured_mib_seconds, usage.mem_peak_mib_seconds)

    @property
    def untouched(self) -> int:
        """See `untouched`."""
        return untouched(self.asked, self.peak)


def memory_table(
    found: Mapping[tuple[str | date, ...], MemoryUse], by: Sequence[Dimension], language: str
) -> Table:
    """A line for each combination, the most untouched first. Pure."""
    numbers = (
        ("runs", "runs"),
        ("asked_mib_seconds", "memory_asked"),
        ("peak_mib_seconds", "memory_peak"),
        ("untouched_mib_seconds", "memory_untouched"),
        ("peak_share", "memory_share"),
    )
    ordered = sorted(found.items(), key=lambda one: (-one[1].untouched, tuple(map(str, one[0]))))
    rows: list[list[Cell]] = [
        [
            *(dimension_cell(key, value, language) for key, value in zip(by, values, strict=True)),
            use.runs,
            *(Amount(tres.MEM, amount) for amount in (use.asked, use.peak, use.untouched)),
            Share(use.peak, use.asked),
        ]
        for values, use in ordered
    ]
    return Table(
        key="memory",
        title=say("memory_waste", language),
        columns=[
            *(dimension_column(key, language) for key in by),
            *(Column(key, say(phrase, language), is_number=True) for key, phrase in numbers),
        ],
        rows=rows,
        note=say("memory_note", language),
    )
