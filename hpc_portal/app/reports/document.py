"""A report before it takes a form: titles, facts and tables, from which a page or any file is made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

from quotas.amounts import STORAGE, Asset
from quotas.money import VND


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of an asset: đồng, GiB, or TRES-seconds. Exact; only what people read is rounded."""

    asset: Asset
    amount: int

    @property
    def unit(self) -> str:
        """What the whole number counts."""
        if self.asset in {VND, STORAGE}:
            return "VND" if self.asset == VND else "GiB"
        return "MiB-seconds" if self.asset == "mem" else f"{self.asset}-seconds"


@dataclass(frozen=True, slots=True)
class Bytes:
    """So many bytes, or bytes x days; people read them in GiB."""

    count: int


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


@dataclass(frozen=True, slots=True)
class Month:
    """A month, by its first day."""

    first: date


@dataclass(frozen=True, slots=True)
class Named:
    """A value that people know by another name than programs do."""

    value: str
    shown: str


Cell: TypeAlias = str | int | Amount | Bytes | Share | Span | Month | Named | date | datetime | None
"""None: not known, or not to be told."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    """Its name for programs: in CSV and JSON, the same in every language."""
    title: str
    is_number: bool = False
    is_for_programs: bool = False
    """Left out of what people read: the value says it already."""


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

    def for_people(self) -> "Table":
        """Without the columns that only programs need."""
        shown = [place for place, column in enumerate(self.columns) if not column.is_for_programs]
        return replace(
            self,
            columns=[self.columns[place] for place in shown],
            rows=[[row[place] for place in shown] for row in self.rows],
            total=None if self.total is None else [self.total[place] for place in shown],
        )


@dataclass(frozen=True, slots=True)
class Edition:
    """In which language a document is written, and when."""

    language: str
    """`vi` or `en`."""
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report, in one language."""

    key: str
    """What files of it are called."""
    edition: Edition
    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    warning: str = ""
    """What a reader must know first: that the figures are provisional."""
