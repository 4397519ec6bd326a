"""When a job would probably start, and why not at once, in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc_portal.app.jobs.expected_start import ExpectedStart
from hpc_portal.web.language import Language
from workloads.template import N_

_NOW = timedelta(minutes=1)
_REASONS = {
    "Free": N_("Enough is free now."),
    "Resources": N_("Something that it needs is in use now."),
    "Priority": N_("Jobs ahead of it in the queue start first."),
    "Licenses": N_("Waiting for a free licence."),
    "NodesDown": N_("The nodes that it needs are down."),
    "SchedulerUnavailable": N_("The cluster does not answer now; it is handed over when it is back."),
    "BeginTime": N_("It is to begin later."),
    "Held": N_("Somebody has to release it first."),
}


@dataclass(frozen=True, slots=True)
class ShownStart:
    """`when` is a range; `reason` says what lies before it."""

    when: str
    reason: str


def show_start(start: ExpectedStart, language: Language, *, now: datetime) -> ShownStart:
    """`from now to 26/11/2026 19:30 (in 2 hours)`."""
    reason = language.text(_REASONS.get(start.reason, start.reason))
    if start.latest is None:
        return ShownStart(language.gettext(N_("not foreseeable")), reason)
    if start.reason == "Free":
        return ShownStart(language.gettext(N_("within seconds")), reason)
    is_now = start.earliest - now < _NOW
    return ShownStart(
        language.gettext(
            N_("from %(first)s to %(last)s (%(relative)s)"),
            first=language.gettext(N_("now")) if is_now else language.instant(start.earliest),
            last=language.instant(start.latest),
            relative=language.relative(start.latest),
        ),
        reason,
    )
