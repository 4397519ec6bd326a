"""Prices, their changes and subsidies in the words of the pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.prices.queries import DraftReview, ShownList, ShownRule, Standing
from hpc_portal.web.language import Language
from hpc_portal.web.words import Word
from quotas.compare_prices import PriceChange, compare
from quotas.pricing import PriceItem
from quotas.tables import OrganisationKind
from schedulers import tres
from schedulers.tres import Tres
from workloads.template import N_

STANDINGS = {
    Standing.COMING: Word("calendar", N_("To come"), "wait"),
    Standing.IN_FORCE: Word("circle-check", N_("In force"), "good"),
    Standing.PAST: Word("history", N_("Past"), "off"),
    Standing.RETIRED: Word("ban", N_("Retired"), "bad"),
}
KINDS = {
    OrganisationKind.UNIVERSITY: N_("Universities"),
    OrganisationKind.TRAINING_CENTRE: N_("Training centres"),
    OrganisationKind.STARTUP: N_("Start-ups"),
    OrganisationKind.CITY: N_("The city's own"),
}
_BASIS_POINTS_PER_PERCENT = 100


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One price."""

    label: str
    partition: str
    """ "" for all."""
    rate: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One price before and after; "" where it had none."""

    label: str
    partition: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ListCard:
    """One published list."""

    version: int
    standing: Word
    is_coming: bool
    is_retirable: bool
    valid_from: datetime
    published_at: datetime
    rows: tuple[PriceRow, ...]
    changes: tuple[ChangeRow, ...]
    """Against the list in force; of one that is to come."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One subsidy rule."""

    id: int
    whom: str
    percent: str
    cap: str
    valid_from: datetime
    valid_to: datetime | None
    standing: Word
    is_over: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ReviewCard:
    """What publishing a draft would change, and what would have no price."""

    changes: tuple[ChangeRow, ...]
    unpriced: tuple[str, ...]
    unknown: tuple[str, ...]


def hourly(name: Tres, rate_vnd_per_hour: int, language: Language) -> str:
    """`360 ₫/h`, of memory `36 ₫/GiB·h`."""
    return f"{language.vnd(rate_vnd_per_hour)}/{'GiB·h' if name == tres.MEM else 'h'}"


def rate_of(name: Tres, rate_vnd_per_hour: int, language: Language) -> str:
    """`360 ₫`, of memory `36 ₫ / GiB`."""
    return language.vnd(rate_vnd_per_hour) + (" / GiB" if name == tres.MEM else "")


def percent(basis_points: int, language: Language) -> str:
    """`25` or `12,5`."""
    whole, rest = divmod(basis_points, _BASIS_POINTS_PER_PERCENT)
    return f"{whole}{language.decimal}{rest:02}".rstrip("0") if rest else str(whole)


def show_items(items: Iterable[PriceItem], language: Language) -> tuple[PriceRow, ...]:
    """By resource; the price for all partitions in front."""
    return tuple(
        PriceRow(
            language.resource(item.tres),
            item.partition or "",
            rate_of(item.tres, item.rate_vnd_per_hour, language),
        )
        for item in sorted(items, key=lambda item: (item.tres, item.partition or ""))
    )


def show_lists(lists: Sequence[ShownList], language: Language) -> list[ListCard]:
    """Each with its prices; those to come with what will change."""
    in_force = next((item.items for item in lists if item.standing is Standing.IN_FORCE), ())
    published = sum(item.standing in {Standing.IN_FORCE, Standing.PAST} for item in lists)
    return [
        ListCard(
            version=item.version,
            standing=STANDINGS[item.standing],
            is_coming=item.standing is Standing.COMING,
            is_retirable=item.standing is Standing.COMING
            or (item.standing is Standing.IN_FORCE and published > 1),
            valid_from=item.valid_from,
            published_at=item.published_at,
            rows=show_items(item.items, language),
            changes=show_changes(compare(in_force, item.items), language)
            if item.standing is Standing.COMING
            else (),
        )
        for item in lists
    ]


def show_changes(changes: Iterable[PriceChange], language: Language) -> tuple[ChangeRow, ...]:
    """One row for each price that changes."""
    return tuple(
        ChangeRow(
            language.resource(change.tres),
            change.partition or "",
            "" if change.before is None else rate_of(change.tres, change.before, language),
            "" if change.after is None else rate_of(change.tres, change.after, language),
        )
        for change in changes
    )


def show_rules(rules: Iterable[ShownRule], language: Language) -> list[RuleRow]:
    """One row for each rule."""
    return [
        RuleRow(
            id=rule.id,
            whom=_whom(rule, language),
            percent=percent(rule.basis_points, language),
            cap="" if rule.cap_vnd is None else language.vnd(rule.cap_vnd),
            valid_from=rule.valid_from,
            valid_to=rule.valid_to,
            standing=STANDINGS[rule.standing],
            is_over=rule.standing is Standing.PAST,
            reason=rule.reason,
        )
        for rule in rules
    ]


def show_review(review: DraftReview, language: Language) -> ReviewCard:
    """Names in words."""
    return ReviewCard(
        changes=show_changes(review.changes, language),
        unpriced=tuple(
            f"{language.resource(item.tres)} · {item.cluster}:{item.partition}" for item in review.unpriced
        ),
        unknown=tuple(
            f"{item.tres} · {item.partition}" if item.partition else item.tres for item in review.unknown
        ),
    )


def _whom(rule: ShownRule, language: Language) -> str:
    parts = [
        rule.organisation or "",
        language.gettext(N_("programme %(slug)s"), slug=rule.programme) if rule.programme else "",
        language.text(KINDS[rule.organisation_kind]) if rule.organisation_kind else "",
    ]
    return " · ".join(filter(None, parts)) or language.gettext(N_("Everybody"))
