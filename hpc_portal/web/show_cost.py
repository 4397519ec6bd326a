"""A job's cost in the words of its page."""

from dataclasses import dataclass

from hpc_portal.app.jobs.cost import JobCost
from hpc_portal.web.language import Language
from hpc_portal.web.show_prices import percent, rate_of


@dataclass(frozen=True, slots=True)
class CostLine:
    """One resource: its price, what was estimated, used and charged."""

    tres: str
    rate: str
    estimated: str
    used: str
    listed: str
    subsidy: str
    charged: str


@dataclass(frozen=True, slots=True)
class ShownCost:
    """All of it."""

    held_vnd: int
    list_vnd: int
    subsidy_vnd: int
    charged_vnd: int
    lines: tuple[CostLine, ...]
    price_list_version: int
    subsidy_percent: str
    """`25` or `12,5`; "" without a subsidy."""
    cap_vnd: int | None


def show_cost(cost: JobCost, language: Language) -> ShownCost:
    """Amounts as hours, money as đồng."""
    return ShownCost(
        cost.held_vnd,
        cost.list_vnd,
        cost.subsidy_vnd,
        cost.charged_vnd,
        tuple(
            CostLine(
                tres=line.tres,
                rate=rate_of(line.tres, line.rate_vnd_per_hour, language),
                estimated=language.resource_hours(line.tres, line.estimated_seconds),
                used=language.resource_hours(line.tres, line.used_seconds),
                listed=language.vnd(line.list_vnd),
                subsidy=language.vnd(-line.subsidy_vnd) if line.subsidy_vnd else "",
                charged=language.vnd(line.charged_vnd),
            )
            for line in cost.lines
        ),
        cost.price_list_version,
        percent(cost.subsidy.basis_points, language) if cost.subsidy.rule_id else "",
        cost.subsidy.cap_vnd,
    )
