"""A job's cost in the words of its page."""

from dataclasses import dataclass

from hpc_portal.app.jobs.cost import JobCost
from hpc_portal.web.language import Language
from schedulers import tres


@dataclass(frozen=True, slots=True)
class CostLine:
    """One resource: its price, what was estimated, used and charged."""

    tres: str
    rate: str
    estimated: str
    used: str
    charged: str


@dataclass(frozen=True, slots=True)
class ShownCost:
    """All of it."""

    held_vnd: int
    charged_vnd: int
    lines: tuple[CostLine, ...]


def show_cost(cost: JobCost, language: Language) -> ShownCost:
    """Amounts as hours, money as đồng."""
    return ShownCost(
        cost.held_vnd,
        cost.charged_vnd,
        tuple(
            CostLine(
                tres=line.tres,
                rate=language.vnd(line.rate_vnd_per_hour) + (" / GiB" if line.tres == tres.MEM else ""),
                estimated=language.resource_hours(line.tres, line.estimated_seconds),
                used=language.resource_hours(line.tres, line.used_seconds),
                charged=language.vnd(line.charged_vnd),
            )
            for line in cost.lines
        ),
    )
