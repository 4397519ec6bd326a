"""The shape of reports as JSON: the same tables as in their files, with exact whole numbers."""

from datetime import date, datetime
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from hpc_portal.app.reports.document import Document, Table
from hpc_portal.app.reports.open_data import Figures, OpenMonth
from hpc_portal.app.reports.plain import plain

JsonCell: TypeAlias = str | int | float | None
"""Amounts are TRES-seconds or đồng, shares are between 0 and 1, days are ISO dates; null is not known."""


class _Reply(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ReportColumnReply(_Reply):
    """A column: `key` is its name in every row, whatever the language."""

    key: str
    title: str


class ReportTableReply(_Reply):
    """One table of a report."""

    key: str
    title: str
    columns: list[ReportColumnReply]
    rows: list[dict[str, JsonCell]]
    total: dict[str, JsonCell] | None
    """The sum of all rows, where that means something."""
    note: str


class ReportReply(_Reply):
    """A report."""

    key: str
    title: str
    subtitle: str
    warning: str
    """Not empty: figures that will still change."""
    facts: dict[str, str]
    notes: list[str]
    """What the figures say, in sentences."""
    made_at: datetime
    tables: list[ReportTableReply]

    @classmethod
    def of(cls, document: Document) -> "ReportReply":
        """The document with its values as JSON has them."""
        return cls(
            key=document.key,
            title=document.title,
            subtitle=document.subtitle,
            warning=document.warning,
            facts=dict(document.facts),
            notes=list(document.notes),
            made_at=document.edition.made_at,
            tables=[_table(table) for table in document.tables],
        )


class FiguresReply(_Reply):
    """Of several organisations together; null is not published."""

    organisations: int | None
    gpu_seconds: int | None
    runs: int | None
    mean_wait_seconds: int | None


class OpenMonthReply(_Reply):
    """One closed month. Shares are between 0 and 1; null is not published, or was not observed."""

    month: date
    gpu_utilisation: float | None
    cpu_utilisation: float | None
    node_availability: float | None
    gpu_availability: float | None
    gpu_capacity_seconds: int
    whole: FiguresReply
    by_sector: dict[str, FiguresReply]

    @classmethod
    def of(cls, month: OpenMonth) -> "OpenMonthReply":
        """The month with its shares as numbers."""

        def figures(some: Figures) -> FiguresReply:
            return FiguresReply.model_validate(some)

        return cls(
            month=month.month,
            gpu_utilisation=month.gpu_utilisation.ratio if month.gpu_utilisation else None,
            cpu_utilisation=month.cpu_utilisation.ratio if month.cpu_utilisation else None,
            node_availability=month.node_availability.ratio,
            gpu_availability=month.gpu_availability.ratio,
            gpu_capacity_seconds=month.gpu_capacity_seconds,
            whole=figures(month.whole),
            by_sector={sector.value: figures(some) for sector, some in month.by_sector.items()},
        )


class OpenDataReply(_Reply):
    """Everything that the city publishes, the newest month first."""

    least_organisations: int
    """Fewer are behind no figure, nor behind what can be worked out from several."""
    months: list[OpenMonthReply]


def _table(table: Table) -> ReportTableReply:
    keys = [column.key for column in table.columns]
    return ReportTableReply(
        key=table.key,
        title=table.title,
        columns=[ReportColumnReply.model_validate(column) for column in table.columns],
        rows=[dict(zip(keys, map(plain, row), strict=True)) for row in table.rows],
        total=None if table.total is None else dict(zip(keys, map(plain, table.total), strict=True)),
        note=table.note,
    )
