"""Charges as a document: one table with a row for each run, and one with each line of their prices. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpc_portal.app.reports.charges import Charge
from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Named, Span, Table
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.reports.usage_document import dimension_cell
from quotas.money import VND
from quotas.usage_report import Dimension

MOST_RUNS = 20_000


@dataclass(frozen=True, slots=True)
class Charges:
    """Runs that ended, the newest first."""

    items: Sequence[Charge]
    is_all: bool
    """False where older ones were left out, because there are more than `MOST_RUNS`."""


def charges_document(
    charges: Charges, edition: Edition, *, key: str, subtitle: str, facts: Sequence[tuple[str, str]] = ()
) -> Document:
    """All of it in one language.

    Args:
        charges: of one project or one job.
        edition: in which language.
        key: what files of it are called.
        subtitle: of what, and of which days.
        facts: what else they were narrowed to.
    """
    language = edition.language
    return Document(
        key=key,
        edition=edition,
        title=say("charges", language),
        subtitle=subtitle,
        facts=facts,
        tables=[_runs(charges.items, language), _lines(charges.items, language)],
        warning="" if charges.is_all else say("charges_cut", language, most=MOST_RUNS),
    )


def _runs(charges: Sequence[Charge], language: str) -> Table:
    blank: list[Cell] = [None] * (len(_run_columns(language)) - 5)
    sums = [sum(getattr(one, name) for one in charges) for name in ("list_vnd", "subsidy_vnd", "vnd")]
    return Table(
        key="charges",
        title=say("charges", language),
        columns=_run_columns(language),
        rows=[
            [
                *_run(one),
                one.user or dimension_cell(Dimension.USER, "", language),
                dimension_cell(Dimension.WORKLOAD, one.template, language),
                one.cluster,
                one.partition,
                one.state.value,
                Span(one.elapsed_seconds),
                int(one.is_charged),
                Amount(VND, one.list_vnd),
                Amount(VND, one.subsidy_vnd),
                Amount(VND, one.vnd),
                one.price_list_version,
            ]
            for one in charges
        ],
        total=[say("total", language), *blank, *(Amount(VND, vnd) for vnd in sums), None],
        note=say("charges_note", language),
    )


def _lines(charges: Sequence[Charge], language: str) -> Table:
    return Table(
        key="lines",
        title=say("charge_lines", language),
        columns=[
            *_columns(language, *_RUN),
            *_columns(language, ("resource", "resource")),
            Column("amount", say("used", language), is_number=True),
            Column("unit", say("unit", language), is_for_programs=True),
            Column("rate_vnd_per_hour", say("rate", language), is_number=True),
            *_columns(language, *_MONEY, number=True),
        ],
        rows=[
            [
                *_run(one),
                Named(line.tres, asset_name(line.tres, language)),
                used := Amount(line.tres, line.tres_seconds),
                used.unit,
                Amount(VND, line.rate_vnd_per_hour),
                Amount(VND, line.list_vnd),
                Amount(VND, line.subsidy_vnd),
                Amount(VND, line.vnd),
            ]
            for one in charges
            for line in one.lines
            if line.tres_seconds
        ],
    )


_RUN = (("ended_at", "ended"), ("job", "job"), ("job_id", "job_id"), ("task", "task"), ("attempt", "attempt"))
"""What tells a run from all others: keys of columns, and their phrases."""
_MONEY = (("list_vnd", "gross"), ("subsidy_vnd", "subsidy"), ("vnd", "net"))


def _run(one: Charge) -> list[Cell]:
    return [one.ended_at, one.job_name or None, str(one.job_id), one.task_index, one.attempt]


def _run_columns(language: str) -> list[Column]:
    return [
        *_columns(language, *_RUN),
        *_columns(
            language,
            ("user", "user"),
            ("workload", "workload"),
            ("cluster", "cluster"),
            ("partition", "partition"),
            ("state", "job_state"),
        ),
        Column("elapsed_seconds", say("elapsed", language), is_number=True),
        Column("is_charged", say("is_charged", language), is_for_programs=True),
        *_columns(language, *_MONEY, number=True),
        Column("price_list_version", say("price_list_version", language), is_number=True),
    ]


def _columns(language: str, *named: tuple[str, str], number: bool = False) -> list[Column]:
    return [
        Column(key, say(phrase, language), is_number=number, is_for_programs=key in {"job_id", "attempt"})
        for key, phrase in named
    ]
