"""A report of usage as a document."""

from collections.abc import Sequence
from datetime import date
from functools import cache, partial

from hpc_portal.app.reports import written
from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Month, Named, Span, Table
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.storage_table import storage_table
from hpc_portal.app.reports.usage import UsageReport
from quotas.money import VND
from quotas.usage_report import Dimension, Usage
from schedulers import tres

SHOWN_MEASURES = (
    *("runs", "gpu_seconds", "cpu_seconds", "mem_mib_seconds", "licence_seconds"),
    *("waited_runs", "waited_seconds", "list_vnd", "subsidy_vnd", "vnd"),
)
"""What the document tells; of the others nobody has to know the sums."""
_WHERE_ANY = {"mem_mib_seconds", "licence_seconds", "subsidy_vnd"}
_TITLES = {Dimension.STATE: "job_state"}
"""Phrases of dimensions that are called otherwise."""


def usage_document(report: UsageReport, edition: Edition) -> Document:
    """All that was used, and what it cost. Pure."""
    language = edition.language
    query = report.query
    cell_of = cache(partial(dimension_cell, language=language))  # a day comes once for each person
    rows = [[*(cell_of(key, row.of[key]) for key in query.by), *_measures(row.usage)] for row in report.rows]
    blank: list[Cell] = [None] * max(len(query.by) - 1, 0)
    heads: list[Cell] = [say("total", language), *blank] if query.by else []
    if report.rest is not None:
        rows.append([say("others", language), *blank, *_measures(report.rest)])
    table = Table(
        key="usage",
        title=say("usage", language),
        columns=[*(dimension_column(key, language) for key in query.by), *_columns(report.total, language)],
        rows=rows,
        total=[*heads, *_measures(report.total)],
        note=say("usage_note", language) + (f" {say('others_note', language)}" if report.rest else ""),
    )
    facts = [(say("scope", language), say("scope_all" if report.covers_all else "scope_own", language))]
    facts += [
        (dimension_column(key, language).title, written.write(dimension_cell(key, value, language), language))
        for key, value in query.where.items()
    ]
    return Document(
        key=f"usage-{query.period.since}-{query.period.last}",
        edition=edition,
        title=say("usage", language),
        subtitle=days_text(query.period, language),
        facts=facts,
        tables=[table, *([_stored(report, language)] if report.stored else [])],
    )


def _stored(report: UsageReport, language: str) -> Table:
    (by,) = report.query.by
    lines = [([dimension_cell(by, of[by], language)], used) for of, used in report.stored]
    return storage_table(lines, [dimension_column(by, language)], language)


def days_text(period: Period, language: str) -> str:
    """`From 1 Nov 2026 to 26 Nov 2026`."""
    first, last = (written.day(day, language) for day in (period.since, period.last))
    return say("from_to", language, since=first, last=last)


def dimension_column(key: Dimension, language: str) -> Column:
    """The head of a column of names."""
    return Column(key.value, say(_TITLES.get(key, key.value), language))


def dimension_cell(key: Dimension, value: str | date, language: str) -> Cell:
    """A name as it is shown; what has none is described."""
    if isinstance(value, date):
        return Month(value) if key is Dimension.MONTH else value
    match key:
        case Dimension.WORKLOAD if not value:
            return Named(value, say("no_template", language))
        case Dimension.GPU_TYPE if value in {"", "untyped"}:
            return Named(value, say("untyped" if value else "no_gpu", language))
        case Dimension.GPU_TYPE:
            return Named(value, value.upper())
        case Dimension.ORGANISATION | Dimension.PROJECT | Dimension.USER if not value:
            return Named(value, say("nobody", language))
    return value


def _columns(total: Usage, language: str) -> Sequence[Column]:
    """Memory, licences and subsidies are shown to people where there are any."""
    return [
        Column(
            key,
            say(phrase, language),
            is_number=True,
            is_for_programs=key in _WHERE_ANY and not getattr(total, key),
        )
        for key, phrase in (
            ("runs", "runs"),
            ("gpu_seconds", "gpu_hours"),
            ("cpu_seconds", "cpu_hours"),
            ("mem_mib_seconds", "mem_hours"),
            ("licence_seconds", "licence_hours"),
            ("mean_wait_seconds", "mean_wait"),
            ("list_vnd", "gross"),
            ("subsidy_vnd", "subsidy"),
            ("vnd", "net"),
        )
    ]


def _measures(usage: Usage) -> list[Cell]:
    return [
        usage.runs,
        Amount(tres.GPU, usage.gpu_seconds),
        Amount(tres.CPU, usage.cpu_seconds),
        Amount(tres.MEM, usage.mem_mib_seconds),
        Amount("license", usage.licence_seconds),
        Span(usage.waited_seconds // usage.waited_runs) if usage.waited_runs else None,
        Amount(VND, usage.list_vnd),
        Amount(VND, usage.subsidy_vnd),
        Amount(VND, usage.vnd),
    ]
