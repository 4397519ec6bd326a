"""What jobs held and did not use: GPUs that were idle inside them, CPUs that they asked for in vain."""

from collections.abc import Sequence

from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Share, Table
from hpc_portal.app.reports.memory_waste import MemoryUse, memory_table
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.usage import UsageReport, UsageRow
from hpc_portal.app.reports.usage_document import days_text, dimension_cell, dimension_column
from quotas.usage_report import Usage
from schedulers import tres


def waste_document(report: UsageReport, memory: Sequence[MemoryUse], edition: Edition) -> Document:
    """A line for each combination that the report tells apart, the most wasteful first. Pure.

    Shares are of what was measured; nothing is said about the rest. Memory has a table of its own.
    """
    language, by = edition.language, report.query.by
    rows = sorted(report.rows, key=_waste, reverse=True)
    blank: list[Cell] = [None] * max(len(by) - 1, 0)
    heads: list[Cell] = [say("total", language), *blank] if by else []
    numbers = (
        ("gpu_seconds", "gpu_hours"),
        ("gpu_idle_seconds", "gpu_idle_hours"),
        ("gpu_busy_share", "gpu_busy"),
        ("gpu_measured_share", "gpu_measured"),
        ("cpu_seconds", "cpu_hours"),
        ("cpu_idle_seconds", "cpu_idle_hours"),
        ("cpu_used_share", "cpu_used"),
        ("cpu_measured_share", "cpu_measured"),
        ("uncharged_gpu_seconds", "uncharged_gpu_hours"),
    )
    table = Table(
        key="waste",
        title=say("waste", language),
        columns=[
            *(dimension_column(key, language) for key in by),
            *(Column(key, say(phrase, language), is_number=True) for key, phrase in numbers),
        ],
        rows=[
            [*(dimension_cell(key, row.of[key], language) for key in by), *_measures(row.usage)]
            for row in rows
        ],
        total=[*heads, *_measures(report.total)],
        note=say("waste_note", language),
    )
    return Document(
        key=f"waste-{report.query.period.since}-{report.query.period.last}",
        edition=edition,
        title=say("waste", language),
        subtitle=days_text(report.query.period, language),
        facts=[(say("scope", language), say("scope_all" if report.covers_all else "scope_own", language))],
        tables=[table, *([memory_table(memory, language)] if memory else [])],
    )


def idle_gpu_seconds(usage: Usage) -> int:
    """GPUs x seconds that jobs held while nothing ran on them, as far as it was measured."""
    return max(usage.gpu_measured_seconds - usage.gpu_busy_seconds, 0)


def idle_cpu_seconds(usage: Usage) -> int:
    """The same of CPUs."""
    return max(usage.cpu_measured_seconds - usage.used_cpu_seconds, 0)


def _waste(row: UsageRow) -> tuple[int, int]:
    return idle_gpu_seconds(row.usage), idle_cpu_seconds(row.usage)


def _measures(usage: Usage) -> list[Cell]:
    return [
        Amount(tres.GPU, usage.gpu_seconds),
        Amount(tres.GPU, idle_gpu_seconds(usage)),
        Share(usage.gpu_busy_seconds, usage.gpu_measured_seconds),
        Share(usage.gpu_measured_seconds, usage.gpu_seconds),
        Amount(tres.CPU, usage.cpu_seconds),
        Amount(tres.CPU, idle_cpu_seconds(usage)),
        Share(usage.used_cpu_seconds, usage.cpu_measured_seconds),
        Share(usage.cpu_measured_seconds, usage.cpu_seconds),
        Amount(tres.GPU, usage.uncharged_gpu_seconds),
    ]
