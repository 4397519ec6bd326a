"""A month's statement of a project or organisation: what was there, what came and went, what is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from quotas.amounts import Asset
from quotas.money import Vnd


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One asset: `closing` is the sum of all others, with these signs."""

    asset: Asset
    opening: int
    granted: int
    """Grants, and what administrators added or took back."""
    moved: int
    """From other allocations (also carried over) less to others; zero in sum over all that take part."""
    charged: int
    """Zero or negative: what days of this month cost, as recorded before it was closed."""
    late: int
    """What days of closed months cost otherwise than recorded then: either sign, mostly negative."""
    refunded: int
    expired: int
    """Zero or negative."""
    closing: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of one month."""

    month: date
    """Its first day."""
    organisation_id: UUID
    project_id: UUID | None
    """None: of all projects of the organisation."""
    is_closed: bool
    """Closed months never change; an open one goes on until it is closed."""
    lines: Sequence[StatementLine]
    list_vnd: Vnd
    """Gross: at list prices, late adjustments included."""
    subsidy_vnd: Vnd
    vnd: Vnd
    """Net: what was charged, so that list_vnd - subsidy_vnd = vnd."""
    sha256: str | None
    """Of the stored statement of a closed month and project; of an organisation, of its projects' ones."""


def statement(
    conn: Connection, *, month: date, organisation_id: UUID | None = None, project_id: UUID | None = None
) -> Statement:
    """What the month brought to one project or to all of an organisation; give exactly one of the two.

    A closed month is read as it was stored. Used resources that no allocation counts have no line here.

    Raises:
        ValueError: neither or both are given, or `month` is not the first of a month.
        LookupError: no such project.
    """
    raise NotImplementedError
