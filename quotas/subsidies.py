"""How much of a price a programme pays: one rule for each job, chosen by a fixed order; pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quotas.money import Vnd, divide_half_up

WHOLE = 10_000
"""Basis points of 100 %."""


@dataclass(frozen=True, slots=True)
class Subsidy:
    """The part of a list price that is not asked for."""

    rule_id: int | None
    """What a hold pins; None: no rule applies."""
    basis_points: int
    """Hundredths of a percent: 2500 is a quarter."""
    cap_vnd: Vnd | None = None
    """At most so much for each run (of a task); None: no cap."""

    def of(self, list_vnd: Vnd) -> Vnd:
        """The subsidy of a list price: rounded once, half up; never more than the price, nor than the cap.

        A higher list price never means a lower net price, so a hold of the most bounds every charge.
        """
        part = divide_half_up(list_vnd * self.basis_points, WHOLE)
        return part if self.cap_vnd is None else min(part, self.cap_vnd)


NO_SUBSIDY = Subsidy(None, 0)


@dataclass(frozen=True, slots=True)
class SubsidyRule:
    """Who is subsidised, by how much, and in which half-open period. Its facts never change but its end."""

    id: int
    subsidy: Subsidy
    organisation_id: UUID | None
    """None: any."""
    programme: str | None
    """None: in any programme, or in none."""
    organisation_kind: str | None
    """A `quotas.tables.OrganisationKind`; None: any."""
    valid_from: datetime
    valid_to: datetime | None

    @property
    def rank(self) -> tuple[bool, bool, bool, datetime, int]:
        """The higher goes before the lower: see `choose`."""
        return (
            self.organisation_id is not None,
            self.programme is not None,
            self.organisation_kind is not None,
            self.valid_from,
            self.id,
        )


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """Who pays, as far as subsidies care."""

    organisation_id: UUID
    kind: str
    """A `quotas.tables.OrganisationKind`."""
    programmes: Collection[str] = ()
    """That the project takes part in."""


def choose(rules: Iterable[SubsidyRule], who: Beneficiary, at: datetime) -> Subsidy:
    """The one rule that applies; rules are never added up.

    The most particular goes first: one that names the organisation, then one that names a programme of the
    project, then one that names the kind of organisation, then one for everybody. Of two that are equally
    particular the one that began later, then the one that was made later. A rule of 0 % is an exception.
    """
    fitting = [rule for rule in rules if _fits(rule, who, at)]
    return max(fitting, key=lambda rule: rule.rank).subsidy if fitting else NO_SUBSIDY


def _fits(rule: SubsidyRule, who: Beneficiary, at: datetime) -> bool:
    return (
        rule.valid_from <= at
        and (rule.valid_to is None or at < rule.valid_to)
        and rule.organisation_id in {None, who.organisation_id}
        and (rule.programme is None or rule.programme in who.programmes)
        and rule.organisation_kind in {None, who.kind}
    )
