"""What the portal refuses, said in the reader's language; the facts come from the errors' attributes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from hpc_portal.app import errors as app
from hpc_portal.app.requests.shortage import Shortage
from hpc_portal.app.requests.transitions import RequestState
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.web.language import Language
from hpc_portal.web.say_tenant import say_tenant
from hpc_portal.web.show_quota import asset_label
from hpc_portal.web.show_request import REQUEST_STATES
from quotas import errors as quotas
from quotas.errors import MonthRefusal
from quotas.money import VND
from workloads.errors import FieldProblem, InvalidParameters, TemplateNotFound
from workloads.template import N_

STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (app.NotFound, HTTPStatus.NOT_FOUND),
    (TemplateNotFound, HTTPStatus.NOT_FOUND),
    (app.InvitationOver, HTTPStatus.NOT_FOUND),
    (quotas.AllocationNotFound, HTTPStatus.NOT_FOUND),
    (quotas.DraftNotFound, HTTPStatus.NOT_FOUND),
    (app.NotAllowed, HTTPStatus.FORBIDDEN),
    (app.ClusterNotSeenYet, HTTPStatus.SERVICE_UNAVAILABLE),
    (app.PortalError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (quotas.QuotaError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidParameters, HTTPStatus.UNPROCESSABLE_ENTITY),
)

_VALIDATION = {
    "missing": N_("Fill this in."),
    "int_parsing": N_("Enter a whole number."),
    "int_type": N_("Enter a whole number."),
    "int_from_float": N_("Enter a whole number."),
    "float_parsing": N_("Enter a number."),
    "bool_parsing": N_("Choose yes or no."),
    "literal_error": N_("Choose one of the offered values."),
    "enum": N_("Choose one of the offered values."),
    "string_pattern_mismatch": N_("This contains a character that is not allowed here."),
    "extra_forbidden": N_("This parameter does not exist."),
}
"""What pydantic's error types mean, where no limit needs saying."""

_LIMITS = {
    "greater_than_equal": N_("Enter %(ge)s or more."),
    "greater_than": N_("Enter more than %(gt)s."),
    "less_than_equal": N_("Enter %(le)s or less."),
    "less_than": N_("Enter less than %(lt)s."),
    "string_too_short": N_("Enter at least %(min_length)s characters."),
    "string_too_long": N_("Enter at most %(max_length)s characters."),
    "too_short": N_("Enter at least %(min_length)s."),
    "too_long": N_("Enter at most %(max_length)s."),
}
"""The same with a limit; named as in pydantic's context."""

_ACTIONS = {
    "submit": N_("You see this project, but may not submit to it. Ask its lead to make you a member."),
    "cancel_own": N_("You may not cancel this job. Ask the project's lead."),
    "change_own": N_("You may not change this job. Ask the project's lead."),
    "change_any": N_("This job is not yours. Ask its owner or the project's lead to change it."),
    "administer_jobs": N_("Only the administrators of the city's cluster may do this. Ask them."),
    "cancel_any": N_("This job is not yours. Ask its owner or the project's lead to cancel it."),
    "request": N_("Only the project's lead or the organisation's manager may ask for quota."),
}

LIMIT_WORDS = (
    N_("running jobs"),
    N_("jobs that have not ended"),
    N_("tasks in one array"),
    N_("seconds of walltime"),
    N_("GPUs in use at once"),
    N_("GPUs in one job"),
    N_("the administrators of the city's cluster"),
    N_("the manager of your organisation"),
    N_("the lead of your project"),
)
"""What `quotas.limits` writes into its errors; named here so that it is translated."""


_OF_A_TYPE = re.compile(r"(?P<gpu_type>\S+) GPUs (?P<what>in use at once|in one job)")

_STORED = (
    (
        re.compile(r"Price list \d+ has no price for (?P<resource>\S+) in partition (?P<partition>\S+)\. "),
        N_(
            "There is no price for %(resource)s in partition %(partition)s. An administrator must publish a "
            "price list that has one."
        ),
    ),
    (
        re.compile(r"Project (?P<project>\S+) had no allocation that pays for (?P<asset>\S+)\. "),
        N_("Project %(project)s had no allocation that pays for %(asset)s. Grant one that covers that time."),
    ),
    (
        re.compile(r"No price list is in force\. "),
        N_("No prices are in force. An administrator must publish a price list first."),
    ),
)
"""Errors of `quotas` as they read where they are kept, and what to say of them."""


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """One thing to mend: the field it belongs to ("" for none), and what to do."""

    field: str
    text: str
    href: str = ""
    """A page that helps to mend it."""
    link: str = ""
    """What that page offers."""


def problems_of(error: Exception, language: Language) -> list[ShownProblem]:  # noqa: PLR0911 - by kind of error
    """Everything that an error asks the reader to mend."""
    match error:
        case InvalidParameters():
            return [
                ShownProblem(problem.field, _placed_text(problem, language)) for problem in error.problems
            ]
        case app.InvalidSubmission() | app.InvalidEntry():
            return [said_of(problem, language) for problem in error.problems]
        case app.ChangeImpossible():
            return [said_of(error.problem, language)]
        case app.ProjectNotFound():
            return [ShownProblem("project", language.gettext(N_("Choose one of your projects.")))]
        case app.TenantNotActive() | app.NotAllowed():
            return [ShownProblem("project", _text(error, language))]
    if type(error) is quotas.BudgetExceeded:
        offer = language.gettext(N_("Ask for what is missing"))
        return [ShownProblem("", _text(error, language), Shortage.of(error).page, offer)]
    return [ShownProblem("", _text(error, language))]


def said_of(problem: app.Problem, language: Language) -> ShownProblem:
    """One of them, in the reader's language."""
    return ShownProblem(problem.field, _sentence(problem.text, problem.facts, language))


def say_stored(text: str, language: Language) -> str:
    """A refusal that was stored as its English text, in the reader's language as far as it is known."""
    for pattern, sentence in _STORED:
        if found := pattern.match(text):
            facts = found.groupdict()
            for name in ("resource", "asset"):
                if name in facts:
                    facts[name] = language.resource(facts[name])
            return language.gettext(sentence, **facts)
    return language.text(text)


def status_of(error: Exception) -> HTTPStatus:
    """The HTTP status of an error that the portal raises on purpose."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def _text(error: Exception, language: Language) -> str:  # noqa: C901, PLR0911, PLR0912 - a case for each
    if about_tenant := say_tenant(error, language):
        return about_tenant
    say = language.gettext
    match error:
        case quotas.NotEnoughFree():
            return say(
                N_("Only %(left)s are free there, %(asked)s were asked. What jobs hold or used stays."),
                left=_asset(error.asset, error.available, language),
                asked=_asset(error.asset, error.needed, language),
            )
        case quotas.RefundRefused():
            return say(N_("So much cannot come back: nothing was charged, or it came back already."))
        case quotas.BudgetExceeded():
            return say(
                N_(
                    "Project %(project)s has %(left)s left; this job needs %(needed)s. Shorten the time "
                    "limit, ask for less, or request more quota."
                ),
                project=error.project,
                left=_asset(error.asset, error.available, language),
                needed=_asset(error.asset, error.needed, language),
            )
        case quotas.LimitExceeded():
            return say(
                N_(
                    "The limit of %(owner)s is %(value)s %(limit)s, of which %(in_use)s are in use; this job "
                    "asks for %(asked)s. Ask for less, or ask %(raised_by)s to raise it."
                ),
                owner=error.owner,
                value=language.number(error.value),
                limit=_limited(error.limit, language),
                in_use=language.number(error.in_use),
                asked=language.number(error.asked),
                raised_by=language.text(error.raised_by),
            )
        case quotas.PricesChanged():
            return say(
                N_(
                    "Version %(latest)s of the prices was published in the meantime. Look at what differs "
                    "now, then publish again."
                ),
                latest=error.latest,
            )
        case quotas.DraftChanged():
            return say(
                N_("Somebody changed this draft in the meantime. Open it again, then repeat your change.")
            )
        case quotas.DraftNotFound():
            return say(N_("This draft is gone: somebody published or discarded it."))
        case quotas.PriceListNotPublished():
            return say(
                N_("Version %(version)s cannot be retired: it was before, or it is the only one in force."),
                version=error.version,
            )
        case quotas.UnpricedResource():
            return say(
                N_(
                    "There is no price for %(resource)s in partition %(partition)s. Choose another resource, "
                    "or ask an administrator to price it."
                ),
                resource=language.resource(error.tres),
                partition=error.partition,
            )
        case quotas.NoPriceList():
            return say(N_("No prices are in force. An administrator must publish a price list first."))
        case quotas.MonthNotClosable():
            return _not_closable(error, language)
        case app.DiscrepancyDecided():
            return say(N_("Somebody decided on this discrepancy in the meantime. Look at the list again."))
        case app.TenantNotActive():
            return say(N_("%(name)s takes no jobs now. Ask the city's administrators."), name=error.name)
        case app.NotAllowed():
            return say(_ACTIONS.get(error.action, N_("Your role does not allow this.")))
        case app.RequestNotOpen():
            return _not_open(error, language)
        case app.ClusterNotSeenYet():
            return say(N_("The cluster has not reported yet. Try again in a few seconds."))
        case TooManyAttempts():
            return say(
                N_("Too many failed sign-ins. Try again in %(seconds)s seconds."),
                seconds=language.number(error.retry_after_seconds),
            )
        case app.WrongCredentials():
            return say(N_("The user name or the password is wrong."))
        case app.NotFound() | TemplateNotFound():
            return say(N_("There is nothing here that you can see. It may never have existed."))
    return str(error)


def _not_closable(error: quotas.MonthNotClosable, language: Language) -> str:
    month = f"{error.month:%Y-%m}"
    match error.why:
        case MonthRefusal.CLOSED:
            return language.gettext(N_("%(month)s is closed already."), month=month)
        case MonthRefusal.EARLIER_IS_OPEN:
            earlier = f"{error.earlier or error.month:%Y-%m}"
            return language.gettext(
                N_("%(month)s cannot be closed while %(earlier)s is open. Close months in their order."),
                month=month,
                earlier=earlier,
            )
        case MonthRefusal.NOT_OVER:
            return language.gettext(
                N_("%(month)s can be closed when it has been over for an hour."), month=month
            )
        case MonthRefusal.UNSETTLED:
            return language.gettext(
                N_(
                    "%(count)s ended runs of %(month)s are not settled. Wait for them, or say why it is "
                    "closed all the same: what they used is then posted to the next month, as late."
                ),
                month=month,
                count=language.number(error.unsettled),
            )


def _not_open(error: app.RequestNotOpen, language: Language) -> str:
    state = language.gettext(REQUEST_STATES[RequestState(error.state)].text)
    if not error.by:
        return language.gettext(
            N_("This cannot be done any more: since %(at)s the request stands at “%(state)s”."),
            at=language.instant(error.at),
            state=state,
        )
    return language.gettext(
        N_("%(by)s was faster: since %(at)s the request stands at “%(state)s”. Look at it as it is now."),
        by=error.by,
        at=language.instant(error.at),
        state=state,
    )


def _limited(limit: str, language: Language) -> str:
    """What is limited, in words: `GPUs in use at once`, also of one type."""
    typed = _OF_A_TYPE.fullmatch(limit)
    if typed is None:
        return language.text(limit)
    return f"{language.text('GPUs ' + typed['what'])} ({typed['gpu_type'].upper()})"


def _placed_text(problem: FieldProblem, language: Language) -> str:
    text = _field_text(problem, language)
    return f"{problem.place} – {text}" if problem.place else text  # noqa: RUF001 - a dash between the two


def _field_text(problem: FieldProblem, language: Language) -> str:
    if problem.text:
        return _sentence(problem.text, problem.facts, language)
    if problem.kind in _LIMITS:
        return _sentence(_LIMITS[problem.kind], problem.facts, language)
    return language.gettext(_VALIDATION[problem.kind]) if problem.kind in _VALIDATION else problem.message


def _sentence(text: str, facts: Mapping[str, object], language: Language) -> str:
    shown = {name: _fact(name, value, language) for name, value in facts.items()}
    return language.gettext(text, **shown) if facts else language.text(text)


def _fact(name: str, value: object, language: Language) -> object:
    if name == "asset":
        return asset_label(str(value), language)
    return language.number(value) if isinstance(value, int) else value


def _asset(asset: str, amount: int, language: Language) -> str:
    if asset == VND:
        return language.vnd(amount)
    return f"{language.resource_hours(asset, amount)} {language.resource(asset)}"
