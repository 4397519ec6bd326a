"""A report of waste as a document: what jobs held in vain, by line, and who left the most of it."""

from collections.abc import Sequence

from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Share, Table
from hpc_portal.app.reports.memory_waste import memory_table
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.usage_document import days_text, dimension_cell, dimension_column
from hpc_portal.app.reports.waste_report import MOST_NAMED, MostWasteful, Waste, WasteReport
from hpc_portal.app.reports.waste_sentences import waste_sentences
from quotas.money import VND
from quotas.usage_report import Dimension
from schedulers import tres

_NUMBERS = (
    ("gpu_seconds", "gpu_hours"),
    ("gpu_idle_seconds", "gpu_idle_hours"),
    ("gpu_busy_share", "gpu_busy"),
    ("gpu_measured_share", "gpu_measured"),
    ("cpu_seconds", "cpu_hours"),
    ("cpu_idle_seconds", "cpu_idle_hours"),
    ("cpu_used_share", "cpu_used"),
    ("cpu_measured_share", "cpu_measured"),
    ("mem_mib_seconds", "mem_hours"),
    ("untouched_mib_seconds", "memory_untouched"),
    ("uncharged_gpu_seconds", "uncharged_gpu_hours"),
    ("list_vnd", "gross"),
    ("unused_vnd", "unused_money"),
)


def waste_document(report: WasteReport, edition: Edition) -> Document:
    """A line for each combination that the report tells apart, the most wasteful first. Pure.

    Shares are of what was measured; nothing is said about the rest.
    """
    language, by = edition.language, report.query.by
    blank: list[Cell] = [None] * max(len(by) - 1, 0)
    heads: list[Cell] = [say("total", language), *blank] if by else []
    table = Table(
        key="waste",
        title=say("waste", language),
        columns=[
            *(dimension_column(key, language) for key in by),
            *(Column(key, say(phrase, language), is_number=True) for key, phrase in _NUMBERS),
        ],
        rows=[[*_names(line, by, language), *_measures(line)] for line in report.lines],
        total=[*heads, *_measures(report.total)],
        note=say("waste_note", language),
    )
    most = (
        ("templates", "most_templates", (Dimension.WORKLOAD,), report.templates),
        ("people", "most_people", (Dimension.PROJECT, Dimension.USER), report.people),
    )
    return Document(
        key=f"waste-{report.query.period.since}-{report.query.period.last}",
        edition=edition,
        title=say("waste", language),
        subtitle=days_text(report.query.period, language),
        facts=[(say("scope", language), say("scope_all" if report.covers_all else "scope_own", language))],
        tables=[
            table,
            *(
                _most(key, say(title, language), respects, found, report.total, language)
                for key, title, respects, found in most
                if respects != by and any(any(line.rank) for line in found.lines)
            ),
            *([memory_table(report.memory, by, language)] if report.memory else []),
        ],
        notes=waste_sentences(report, language),
    )


def _most(  # noqa: PLR0913, PLR0917 - the parts of a table
    key: str,
    title: str,
    by: Sequence[Dimension],
    found: MostWasteful,
    total: Waste,
    language: str,
) -> Table:
    numbers = (
        ("gpu_idle_seconds", "gpu_idle_hours"),
        ("cpu_idle_seconds", "cpu_idle_hours"),
        ("untouched_mib_seconds", "memory_untouched"),
        ("unused_vnd", "unused_money"),
        ("unused_share", "unused_share"),
    )
    return Table(
        key=key,
        title=title,
        columns=[
            *(dimension_column(one, language) for one in by),
            *(Column(one, say(phrase, language), is_number=True) for one, phrase in numbers),
        ],
        rows=[
            [
                *_names(line, by, language),
                Amount(tres.GPU, line.idle_gpu_seconds),
                Amount(tres.CPU, line.idle_cpu_seconds),
                Amount(tres.MEM, line.memory.untouched),
                _money(line.unused_vnd),
                Share(line.unused_vnd or 0, total.unused_vnd or 0),
            ]
            for line in found.lines
            if any(line.rank)
        ],
        note=say("most_note", language, most=MOST_NAMED) if found.of > MOST_NAMED else "",
    )


def _names(line: Waste, by: Sequence[Dimension], language: str) -> list[Cell]:
    return [dimension_cell(key, line.of[key], language) for key in by]


def _money(amount: int | None) -> Cell:
    return None if amount is None else Amount(VND, amount)


def _measures(line: Waste) -> list[Cell]:
    usage = line.usage
    return [
        Amount(tres.GPU, usage.gpu_seconds),
        Amount(tres.GPU, line.idle_gpu_seconds),
        Share(usage.gpu_busy_seconds, usage.gpu_measured_seconds),
        Share(usage.gpu_measured_seconds, usage.gpu_seconds),
        Amount(tres.CPU, usage.cpu_seconds),
        Amount(tres.CPU, line.idle_cpu_seconds),
        Share(usage.used_cpu_seconds, usage.cpu_measured_seconds),
        Share(usage.cpu_measured_seconds, usage.cpu_seconds),
        Amount(tres.MEM, usage.mem_mib_seconds),
        Amount(tres.MEM, line.memory.untouched),
        Amount(tres.GPU, usage.uncharged_gpu_seconds),
        Amount(VND, usage.list_vnd),
        _money(line.unused_vnd),
    ]
