"""A report before it takes a form: titles, facts and tables, from which a page or any file is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from quotas.amounts import Asset
from quotas.money import VND


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of an asset: đồng, or TRES-seconds. Exact; only what people read is rounded."""

    asset: Asset
    amount: int

    @property
    def unit(self) -> str:
        """What the whole number counts."""
        if self.asset == VND:
            return "VND"
        return "MiB-seconds" if self.asset == "mem" else f"{self.asset}-seconds"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole; nothing of nothing is no share at all."""

    part: int
    whole: int

    @property
    def ratio(self) -> float | None:
        """Between 0 and 1, as a rule; None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time, in whole seconds."""

    seconds: int


Cell: TypeAlias = str | int | Amount | Share | Span | date | datetime | None
"""None: not known, or not to be told."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    """Its name for programs: in CSV and JSON, the same in every language."""
    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None
    """A last row that sums up the others."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report, in one language."""

    key: str
    """What files of it are called."""
    language: str
    """`vi` or `en`."""
    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    made_at: datetime
    notes: Sequence[str] = ()
    warning: str = ""
    """What a reader must know first: that the figures are provisional."""
