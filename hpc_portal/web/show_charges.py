"""A charge in the words of its page, with the formula that its price came from."""

from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.reports.charges import Charge
from hpc_portal.web.language import Language
from hpc_portal.web.show_prices import percent, rate_of
from hpc_portal.web.words import STATES, Word
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class FormulaLine:
    """One factor of a price: how much, at which rate, and what that makes."""

    label: str
    formula: str


@dataclass(frozen=True, slots=True)
class ShownCharge:
    """One row."""

    job_id: str
    name: str
    has_job: bool
    """Whether it has a page still."""
    run: str
    """`task 3, attempt 2`; "" where the job is one run."""
    user: str
    template: str
    state: Word
    ended_at: datetime
    elapsed: str
    is_charged: bool
    lines: tuple[FormulaLine, ...]
    subsidy: str
    """The share and what it makes; "" without one."""
    paid: str
    price_list_version: int


def show_charge(charge: Charge, language: Language) -> ShownCharge:
    """Amounts as hours, money as đồng."""
    return ShownCharge(
        job_id=str(charge.job_id),
        name=charge.job_name or str(charge.job_id)[:8],
        has_job=bool(charge.job_name),
        run=_run(charge, language),
        user=charge.user,
        template=charge.template,
        state=STATES[charge.state],
        ended_at=charge.ended_at,
        elapsed=language.duration(charge.elapsed_seconds),
        is_charged=charge.is_charged,
        lines=tuple(
            FormulaLine(
                language.resource(line.tres),
                f"{language.resource_hours(line.tres, line.tres_seconds)} × "  # noqa: RUF001 - times
                f"{rate_of(line.tres, line.rate_vnd_per_hour, language)} = {language.vnd(line.list_vnd)}",
            )
            for line in charge.lines
            if line.tres_seconds
        ),
        subsidy=_subsidy(charge, language),
        paid=language.vnd(charge.vnd),
        price_list_version=charge.price_list_version,
    )


def _run(charge: Charge, language: Language) -> str:
    parts = []
    if charge.is_array:
        parts.append(language.gettext(N_("task %(number)s"), number=charge.task_index))
    if charge.attempt:
        parts.append(language.gettext(N_("attempt %(number)s"), number=charge.attempt + 1))
    return ", ".join(parts)


def _subsidy(charge: Charge, language: Language) -> str:
    if not charge.subsidy_vnd:
        return ""
    share = percent(charge.subsidy_basis_points, language)
    return language.gettext(
        N_("the city pays %(percent)s %%: %(amount)s"),
        percent=share,
        amount=language.vnd(-charge.subsidy_vnd),
    )
