"""The bar beside a submit form: price, balance after, start, licences, and what stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import PortalError
from hpc_portal.app.jobs.estimate import JobEstimate, LicenseFit, estimate_job
from hpc_portal.app.jobs.expected_start import ExpectedStart
from hpc_portal.app.services import Services
from hpc_portal.web.filled_form import Filled
from hpc_portal.web.language import Language
from hpc_portal.web.problems import said_of
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.ways_out import Obstacle, obstacles_of, obstacles_to
from quotas.errors import QuotaError
from schedulers.directives.translation import TranslatedOption
from schedulers.units import CITY_TIME
from workloads import script
from workloads.errors import WorkloadError
from workloads.script import Script
from workloads.template import N_

_STARTS = {
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
class LeftLine:
    """An asset before and after the job."""

    label: str
    before: str
    after: str
    is_short: bool


@dataclass(frozen=True, slots=True)
class ShownLicense:
    """One licence feature that the job needs."""

    feature: str
    asked: int
    free: int
    total: int

    @property
    def waits(self) -> bool:
        """Whether others have to return some first."""
        return self.asked > self.free


@dataclass(frozen=True, slots=True)
class ShownEstimate:
    """All of it; without `found` the form cannot be priced yet, and `obstacles` say why."""

    found: JobEstimate | None
    obstacles: Sequence[Obstacle]
    left: Sequence[LeftLine] = ()
    start: str = ""
    start_in: str = ""
    """How far away its end is: `in 2 hours`; "" where nothing bounds it, or it is now."""
    start_reason: str = ""
    """Untranslated."""
    licenses: Sequence[ShownLicense] = ()
    header: Sequence[TranslatedOption] = ()
    """What the header lines of a script come to; nothing for other templates."""
    notes: Sequence[str] = ()


def show_estimate(services: Services, actor: Actor, filled: Filled, language: Language) -> ShownEstimate:
    """Of what the form says now; writes nothing."""
    try:
        found = estimate_job(services, actor, filled.request(key=None))
    except (PortalError, QuotaError, WorkloadError) as error:
        return ShownEstimate(None, obstacles_of(services, actor, filled, error, language))
    start, start_in = _when(found.expected_start, language)
    return ShownEstimate(
        found,
        obstacles_to(services, actor, filled, found, language),
        left=_left(found, language),
        start=start,
        start_in=start_in,
        start_reason=_STARTS.get(found.expected_start.reason, found.expected_start.reason),
        licenses=[_license(fit) for fit in found.licenses],
        header=_header(filled),
        notes=[said_of(remark, language).text for remark in found.remarks],
    )


def _left(found: JobEstimate, language: Language) -> list[LeftLine]:
    after = found.available_after
    return [
        LeftLine(
            asset_label(asset, language),
            show_asset(asset, found.available.get(asset, 0), language),
            show_asset(asset, after.get(asset, 0), language),
            is_short=after.get(asset, 0) < 0,
        )
        for asset in sorted(found.needed)
        if found.needed[asset]
    ]


def _license(fit: LicenseFit) -> ShownLicense:
    return ShownLicense(fit.feature, fit.asked, max(0, fit.total - fit.used), fit.total)


def _when(start: ExpectedStart, language: Language) -> tuple[str, str]:
    """The range, and how far away its end is."""
    say = language.gettext
    is_later = start.reason in {"BeginTime", "Held"}
    since = _clock(start.earliest, language)
    if start.latest is None and is_later:
        return say(N_("not before %(time)s"), time=since), ""
    if start.latest is None:
        return say(N_("not foreseeable")), ""
    if start.reason == "Free":
        return say(N_("within seconds")), ""
    until = _clock(start.latest, language)
    if is_later:
        return say(N_("between %(from)s and %(to)s"), **{"from": since, "to": until}), ""
    return say(N_("between now and %(to)s"), to=until), language.relative(start.latest)


def _clock(at: datetime, language: Language) -> str:
    """Hours and minutes; with the day where it is not today."""
    local = at.astimezone(CITY_TIME)
    time = local.strftime("%H:%M")
    is_today = local.date() == datetime.now(CITY_TIME).date()
    return time if is_today else f"{time} {language.day(at)}"


def _header(filled: Filled) -> Sequence[TranslatedOption]:
    if not isinstance(filled.template, Script):
        return ()
    translation = script.header_of(filled.template.validate(filled.parameters))
    return translation.options if translation else ()
