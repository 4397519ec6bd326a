"""Open data as a document: one table by month, one by month and sector."""

from collections.abc import Sequence

from hpc_portal.app.reports.document import (
    Amount,
    Cell,
    Column,
    Document,
    Edition,
    Month,
    Named,
    Span,
    Table,
)
from hpc_portal.app.reports.open_data import Figures, OpenMonth
from hpc_portal.app.reports.phrases import say
from schedulers import tres


def open_data_document(months: Sequence[OpenMonth], edition: Edition) -> Document:
    """All that is published. Pure."""
    language = edition.language
    return Document(
        key="open-data",
        edition=edition,
        title=say("open_data", language),
        subtitle=say("open_data_of", language),
        facts=[],
        tables=[_by_month(months, language), _by_sector(months, language)],
        notes=[say("suppressed_note", language), say("frozen_note", language)],
    )


def _by_month(months: Sequence[OpenMonth], language: str) -> Table:
    rows: list[Sequence[Cell]] = [
        [
            Month(one.month),
            one.gpu_utilisation,
            one.cpu_utilisation,
            one.node_availability,
            one.gpu_availability,
            Amount(tres.GPU, one.gpu_capacity_seconds),
            *_cells(one.whole),
        ]
        for one in months
    ]
    columns = (
        ("gpu_utilisation", "gpu_utilisation"),
        ("cpu_utilisation", "cpu_utilisation"),
        ("node_availability", "availability"),
        ("gpu_availability", "gpu_availability"),
        ("gpu_capacity_seconds", "gpu_capacity"),
        *_FIGURES,
    )
    return Table(
        key="months",
        title=say("by_month", language),
        columns=[Column("month", say("month", language)), *_numbers(columns, language)],
        rows=rows,
    )


def _by_sector(months: Sequence[OpenMonth], language: str) -> Table:
    rows = [
        [Month(one.month), Named(sector.value, say(sector.value, language)), *_cells(figures)]
        for one in months
        for sector, figures in one.by_sector.items()
    ]
    columns = [Column("month", say("month", language)), Column("sector", say("sector", language))]
    return Table(
        key="sectors",
        title=say("by_sector", language),
        columns=[*columns, *_numbers(_FIGURES, language)],
        rows=rows,
    )


_FIGURES = (
    ("organisations", "organisations"),
    ("gpu_seconds", "gpu_hours"),
    ("runs", "runs"),
    ("mean_wait_seconds", "mean_wait"),
)


def _numbers(columns: Sequence[tuple[str, str]], language: str) -> list[Column]:
    return [Column(key, say(phrase, language), is_number=True) for key, phrase in columns]


def _cells(figures: Figures) -> list[Cell]:
    return [
        figures.organisations,
        None if figures.gpu_seconds is None else Amount(tres.GPU, figures.gpu_seconds),
        figures.runs,
        None if figures.mean_wait_seconds is None else Span(figures.mean_wait_seconds),
    ]
