"""Limits in the words of their page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.limits.queries import EffectiveLimit, SetLimit
from hpc_portal.web.language import Language
from quotas.limits import LimitKind, LimitOwner
from workloads.template import N_

LIMIT_KINDS = {
    LimitKind.GPUS_RUNNING: N_("GPUs in use at once"),
    LimitKind.GPUS_PER_JOB: N_("GPUs in one job"),
    LimitKind.JOBS_RUNNING: N_("running jobs and array tasks"),
    LimitKind.JOBS_QUEUED: N_("jobs that have not ended"),
    LimitKind.ARRAY_TASKS: N_("tasks in one array"),
    LimitKind.WALLTIME_SECONDS: N_("time limit of one job"),
}
LEVELS = {
    LimitOwner.ORGANISATION: N_("organisation"),
    LimitOwner.PROJECT: N_("project"),
    LimitOwner.MEMBER: N_("person in the project"),
    LimitOwner.USER: N_("person in all projects"),
}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """What holds, and where it comes from."""

    what: str
    value: str
    in_use: str
    is_reached: bool
    whose: str
    is_default: bool
    raised_by: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetRow:
    """One limit as somebody set it, with what a form needs to take it away."""

    what: str
    value: str
    whose: str
    level: LimitOwner
    organisation: str
    project: str
    user: str
    is_default: bool
    kind: LimitKind
    gpu_type: str
    set_at: datetime
    may_change: bool


def show_effective(limits: Iterable[EffectiveLimit], language: Language) -> list[LimitRow]:
    """One row for each kind and GPU type."""
    return [
        LimitRow(
            what=_what(limit.kind, limit.gpu_type, language),
            value=_amount(limit.kind, limit.value, language),
            in_use="" if limit.in_use is None else language.number(limit.in_use),
            is_reached=limit.in_use is not None and limit.in_use >= limit.value,
            whose=_whose(limit.level, limit.owner, language),
            is_default=limit.is_default,
            raised_by=language.text(limit.raised_by),
            others=tuple(
                f"{_whose(other.owner_kind, other.owner, language)}: "
                f"{_amount(other.kind, other.value, language)}"
                for other in limit.others
            ),
        )
        for limit in limits
    ]


def show_set(limits: Iterable[SetLimit], language: Language) -> list[SetRow]:
    """One row for each."""
    return [
        SetRow(
            what=_what(limit.kind, limit.gpu_type, language),
            value=_amount(limit.kind, limit.value, language),
            whose=_set_for(limit, language),
            level=limit.level,
            organisation="" if limit.is_default else limit.organisation,
            project="" if limit.is_default else limit.project,
            user="" if limit.is_default else limit.user,
            is_default=limit.is_default,
            kind=limit.kind,
            gpu_type=limit.gpu_type,
            set_at=limit.set_at,
            may_change=limit.may_change,
        )
        for limit in limits
    ]


def _set_for(limit: SetLimit, language: Language) -> str:
    level = language.text(LEVELS[limit.level])
    if limit.is_default:
        return language.gettext(N_("every %(level)s without one of its own"), level=level)
    names = " · ".join(filter(None, (limit.organisation, limit.project, limit.user)))
    return f"{names} ({level})"


def _whose(level: LimitOwner, owner: str, language: Language) -> str:
    return f"{owner} ({language.text(LEVELS[level])})"


def _what(kind: LimitKind, gpu_type: str, language: Language) -> str:
    what = language.text(LIMIT_KINDS[kind])
    return f"{what} ({gpu_type.upper()})" if gpu_type else what


def _amount(kind: LimitKind, value: int, language: Language) -> str:
    return language.duration(value) if kind is LimitKind.WALLTIME_SECONDS else language.number(value)
