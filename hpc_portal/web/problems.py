"""What the portal refuses, said in the reader's language; the facts come from the errors' attributes."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from hpc_portal.app import errors as app
from hpc_portal.app.requests.shortage import Shortage, may_be_asked_for
from hpc_portal.app.requests.transitions import RequestState
from hpc_portal.auth.errors import ScopeTooSmall
from hpc_portal.web.language import Language
from hpc_portal.web.say_files import say_files
from hpc_portal.web.say_outside import say_outside
from hpc_portal.web.say_quotas import say_quotas
from hpc_portal.web.say_sign_in import say_sign_in
from hpc_portal.web.say_tenant import say_tenant
from hpc_portal.web.say_validation import say_sentence, say_validation
from hpc_portal.web.show_request import REQUEST_STATES
from quotas import errors as quotas
from workloads.errors import FieldProblem, InvalidParameters, InvalidSiteTemplate, TemplateNotFound
from workloads.template import N_

STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (app.NotFound, HTTPStatus.NOT_FOUND),
    (TemplateNotFound, HTTPStatus.NOT_FOUND),
    (app.InvitationOver, HTTPStatus.NOT_FOUND),
    (quotas.AllocationNotFound, HTTPStatus.NOT_FOUND),
    (quotas.DraftNotFound, HTTPStatus.NOT_FOUND),
    (app.NotAllowed, HTTPStatus.FORBIDDEN),
    (ScopeTooSmall, HTTPStatus.FORBIDDEN),
    (app.ClusterNotSeenYet, HTTPStatus.SERVICE_UNAVAILABLE),
    (app.WaveformsBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (app.PortalError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (quotas.QuotaError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidParameters, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidSiteTemplate, HTTPStatus.UNPROCESSABLE_ENTITY),
)

_ACTIONS = {
    "submit": N_("You see this project, but may not submit to it. Ask its lead to make you a member."),
    "change_files": N_("You see these files, but may not change them. Ask the project's lead to add you."),
    "cancel_own": N_("You may not cancel this job. Ask the project's lead."),
    "change_own": N_("You may not change this job. Ask the project's lead."),
    "change_any": N_("This job is not yours. Ask its owner or the project's lead to change it."),
    "administer_jobs": N_("Only the administrators of the city's cluster may do this. Ask them."),
    "cancel_any": N_("This job is not yours. Ask its owner or the project's lead to cancel it."),
    "request": N_("Only the project's lead or the organisation's manager may ask for quota."),
}

WHO_MAY_WORDS = (
    N_("the project's lead"),
    N_("the project's lead or the organisation's manager"),
    N_("the project's lead, the organisation's manager or the city's administrators"),
    N_("the organisation's manager or the city's administrators"),
    N_("the city's administrators"),
    N_("the city's administrators, who suspended it"),
)
"""Whom `permissions` names in its refusals; named here so that it is translated."""

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
        case InvalidParameters() | InvalidSiteTemplate():
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
    if isinstance(error, quotas.BudgetExceeded) and may_be_asked_for(error):
        offer = language.gettext(N_("Ask for what is missing"))
        return [ShownProblem("", _text(error, language), Shortage.of(error).page, offer)]
    return [ShownProblem("", _text(error, language))]


def said_of(problem: app.Problem, language: Language) -> ShownProblem:
    """One of them, in the reader's language."""
    return ShownProblem(problem.field, say_sentence(problem.text, problem.facts, language))


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


def _text(error: Exception, language: Language) -> str:  # noqa: C901, PLR0911 - a case for each
    for said in (say_tenant, say_quotas, say_outside, say_files, say_sign_in):
        if text := said(error, language):
            return text
    say = language.gettext
    match error:
        case app.DiscrepancyDecided():
            return say(N_("Somebody decided on this discrepancy in the meantime. Look at the list again."))
        case app.TenantNotActive():
            return say(N_("%(name)s takes no jobs now. Ask the city's administrators."), name=error.name)
        case app.NotAllowed() if error.action in _ACTIONS:
            return say(_ACTIONS[error.action])
        case app.NotAllowed():
            return say(
                N_("Your role does not allow this. Ask %(who_may)s."), who_may=language.text(error.who_may)
            )
        case app.RefundCaseRefused():
            return say(N_("No refund now. %(why)s"), why=language.text(error.why))
        case app.RequestNotOpen():
            return _not_open(error, language)
        case app.WaveformUnreadable():
            return say(
                N_("%(path)s cannot be shown: %(why)s. Download it to look at it in a viewer of your own."),
                path=error.path,
                why=language.text(error.why),
            )
        case app.WaveformsBusy():
            return say(N_("Too many waveforms are being read at the moment. Try again in a few seconds."))
        case app.ClusterNotSeenYet():
            return say(N_("The cluster has not reported yet. Try again in a few seconds."))
        case app.NotFound() | TemplateNotFound():
            return say(N_("There is nothing here that you can see. It may never have existed."))
    return str(error)


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


def _placed_text(problem: FieldProblem, language: Language) -> str:
    text = _field_text(problem, language)
    return f"{problem.place} – {text}" if problem.place else text  # noqa: RUF001 - a dash between the two


def _field_text(problem: FieldProblem, language: Language) -> str:
    if problem.text:
        return say_sentence(problem.text, problem.facts, language)
    return say_validation(problem.kind, problem.facts, language) or problem.message
