"""Who used how much of a project, in the words of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpc_portal.app.home.project_overview import PersonsUse
from hpc_portal.web.language import Language
from schedulers import tres
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person, or all others together."""

    name: str
    user: str
    """As filters take it; "" where there is nobody to filter by."""
    vnd: str
    hours: str
    """GPU-hours where there were any, else CPU-hours."""
    percent: int
    """Of the one who used the most."""


def show_people(people: Sequence[PersonsUse], language: Language) -> list[PersonRow]:
    """Bars are of đồng, or of CPU time where nothing was charged."""
    sizes = [one.usage.vnd for one in people]
    if not any(sizes):
        sizes = [one.usage.cpu_seconds for one in people]
    most = max(sizes, default=0) or 1
    return [
        PersonRow(
            name=_name(one, language),
            user=one.user,
            vnd=language.vnd(one.usage.vnd),
            hours=_hours(one, language),
            percent=max(round(100 * size / most), 0),
        )
        for one, size in zip(people, sizes, strict=True)
    ]


def _name(one: PersonsUse, language: Language) -> str:
    if one.is_rest:
        return language.gettext(N_("everybody else"))
    return one.user or language.gettext(N_("nobody any more"))


def _hours(one: PersonsUse, language: Language) -> str:
    if one.usage.gpu_seconds:
        return f"{language.resource_hours(tres.GPU, one.usage.gpu_seconds)} GPU"
    return f"{language.resource_hours(tres.CPU, one.usage.cpu_seconds)} CPU"
