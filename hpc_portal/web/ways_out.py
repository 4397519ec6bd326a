"""What stands in a submission's way, in words, each with the field to go to and ways out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import is_out, list_snapshots
from hpc_portal.app.errors import ClusterNotSeenYet, InvalidSubmission, PortalError, Problem
from hpc_portal.app.jobs.choose_cluster import partition_names
from hpc_portal.app.jobs.estimate import JobEstimate
from hpc_portal.app.jobs.prepare import prepare_job
from hpc_portal.app.services import Services
from hpc_portal.web.filled_form import EDITED, Filled
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.show_form import anchor, field_of, not_understood
from quotas.errors import BudgetExceeded, LimitExceeded, QuotaError
from schedulers.units import format_walltime
from workloads.errors import WorkloadError
from workloads.forms import Widget
from workloads.template import N_

_MOST_PARTITIONS = 3
_MOST_TRIED = 8
_WALLTIME_LIMIT = "seconds of walltime"


@dataclass(frozen=True, slots=True)
class Way:
    """A way out: a page to go to, or values for the form."""

    label: str
    href: str = ""
    sets: str = ""
    """A query string of controls and values."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way."""

    text: str
    field: str = ""
    """The control to go to; "" for none."""
    label: str = ""
    """What that control is called, untranslated."""
    ways: tuple[Way, ...] = ()

    @property
    def anchor(self) -> str:
        """The control's id, without `f-`."""
        return anchor(self.field)


def obstacles_of(
    services: Services, actor: Actor, filled: Filled, error: Exception, language: Language
) -> list[Obstacle]:
    """Everything that an error asks to mend."""
    shown = _mended(filled, problems_of(error, language), language)
    raw = error.problems if isinstance(error, InvalidSubmission) else ()
    facts: list[Problem | None] = [*raw, *[None] * (len(shown) - len(raw))]
    elsewhere = tuple(_other_partitions(services, actor, filled, error, language))
    return [
        _obstacle(
            filled, problem, (*_less(filled, fact, language), *(elsewhere if at == len(shown) - 1 else ()))
        )
        for at, (problem, fact) in enumerate(zip(shown, facts, strict=True))
    ]


def last_obstacle(filled: Filled, error: Exception, language: Language) -> Obstacle:
    """The last of those that an error names, without ways out: nothing is looked up."""
    return _obstacle(filled, _mended(filled, problems_of(error, language), language)[-1], ())


def obstacles_to(
    services: Services, actor: Actor, filled: Filled, found: JobEstimate, language: Language
) -> list[Obstacle]:
    """Why a job that has a price would still be refused, or would not start as things are."""
    obstacles = []
    for refusal in found.refusals:
        (problem, *_) = problems_of(refusal, language)
        obstacles.append(_obstacle(filled, problem, tuple(_around(filled, found, refusal, language))))
    if found.expected_start.reason in {"NodesDown", "SchedulerUnavailable"}:
        ways = tuple(_partitions(services, actor, filled, language))
        text = language.gettext(N_("It would wait: nothing there can run it now."))
        if ways:
            obstacles.append(Obstacle(text, ways=ways))
    return obstacles


def _around(filled: Filled, found: JobEstimate, refusal: QuotaError, language: Language) -> Iterator[Way]:
    say = language.gettext
    if isinstance(refusal, BudgetExceeded):
        if seconds := found.ways_to_pay.walltime_seconds:
            yield from _shorter(filled, seconds, language)
        for account in found.ways_to_pay.projects:
            label = say(N_("Let %(project)s pay"), project=account)
            yield Way(label, sets=urlencode({"project": account}))
    elif isinstance(refusal, LimitExceeded):
        if refusal.limit == _WALLTIME_LIMIT:
            yield from _shorter(filled, refusal.value, language)
        yield Way(say(N_("See the limits")), href="/limits")


def _shorter(filled: Filled, seconds: int, language: Language) -> Iterator[Way]:
    if name := field_of(filled.fields, "walltime_seconds"):
        time = format_walltime(seconds)
        yield Way(language.gettext(N_("Shorten to %(time)s"), time=time), sets=urlencode({name: time}))


def _less(filled: Filled, problem: Problem | None, language: Language) -> Iterator[Way]:
    """As much as there is, where a number was too large and the form has asked for just that number."""
    if problem is None or not problem.facts.get("most"):
        return
    name = field_of(filled.fields, problem.field)
    field = next((one for one in filled.fields if one.name == name), None)
    if field is None or field.widget is not Widget.NUMBER:
        return
    most, asked = (
        str(problem.facts.get(fact, "")).removesuffix("iB").replace(" ", "") for fact in ("most", "asked")
    )
    if field.unit or filled.value(name).strip() == asked:
        label = language.gettext(
            N_("%(field)s: take %(most)s"), field=language.text(field.title), most=str(problem.facts["most"])
        )
        yield Way(label, sets=urlencode({name: most}))


def _other_partitions(
    services: Services, actor: Actor, filled: Filled, error: Exception, language: Language
) -> Iterator[Way]:
    """Where the same job could run, where it is this cluster or partition that cannot."""
    if isinstance(error, ClusterNotSeenYet | InvalidSubmission):
        yield from _partitions(services, actor, filled, language)


def _partitions(services: Services, actor: Actor, filled: Filled, language: Language) -> Iterator[Way]:
    """Those that would take the job and answer now: each is tried."""
    name = field_of(filled.fields, "partition")
    if not name:
        return
    offered = 0
    for partition in partition_names(list_snapshots(services, actor))[:_MOST_TRIED]:
        if partition == filled.value(name).strip():
            continue
        changed = filled.changed([(name, partition)])
        try:
            prepared = prepare_job(services, actor, changed.request(key=None))
        except (PortalError, QuotaError, WorkloadError):
            continue
        if is_out(services, prepared.cluster.name):
            continue
        label = language.gettext(N_("Run it on %(partition)s"), partition=partition)
        yield Way(label, sets=urlencode({name: partition}))
        offered += 1
        if offered == _MOST_PARTITIONS:
            return


def _obstacle(filled: Filled, problem: ShownProblem, ways: tuple[Way, ...]) -> Obstacle:
    if problem.href:
        ways = (Way(problem.link, href=problem.href), *ways)
    if problem.field == "project":
        return Obstacle(problem.text, "project", N_("Project"), ways)
    name = field_of(filled.fields, problem.field)
    if problem.field == "script" and not name:
        return Obstacle(problem.text, EDITED, N_("Script that will run"), ways)
    title = next((one.title for one in filled.fields if one.name == name), problem.field)
    return Obstacle(problem.text, name, title, ways)


def _mended(filled: Filled, problems: Iterable[ShownProblem], language: Language) -> list[ShownProblem]:
    """Times and sizes that were not understood are explained in their own notation."""
    not_numbers = language.gettext(N_("Enter a whole number."))
    mended = []
    for problem in problems:
        better = not_understood(filled.fields, field_of(filled.fields, problem.field))
        is_about_form = problem.text == not_numbers and better
        mended.append(ShownProblem(problem.field, language.gettext(better)) if is_about_form else problem)
    return mended
