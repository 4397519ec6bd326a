"""An API's refusal in another language than English, with the words that the pages use."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hpc_portal.app import errors as app
from hpc_portal.web.language import Language, choose
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.say_quotas import say_amount_problem
from hpc_portal.web.say_validation import say_request_item, say_sentence
from quotas.errors import InvalidAmount, QuotaError
from schedulers.errors import InvalidJobSpec, SchedulerError
from workloads.errors import InvalidParameters, InvalidSiteTemplate, WorkloadError
from workloads.template import N_

_HTTP = {
    HTTPStatus.NOT_FOUND: N_("There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("This address does not take that method."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_("This is more than the portal takes at once."),
    HTTPStatus.UNPROCESSABLE_ENTITY: N_("Remove the NUL character."),
}


@dataclass(frozen=True, slots=True)
class SaidRefusal:
    """The words of one refusal."""

    language: str
    title: str
    detail: str
    messages: Sequence[str]
    """One for each of the fields that the refusal names, in their order; empty when it names none."""


def say_refusal(request: Request, error: Exception, title: str) -> SaidRefusal | None:
    """In the language that the request accepts; None for English, which every error speaks by itself."""
    languages = pages_of(request).languages
    accepted = request.headers.get("accept-language", "")
    language = choose(languages, cookie=None, saved=None, accepted=accepted, default="en")
    return None if language.code == "en" else refusal_in(language, error, title)


def refusal_in(language: Language, error: Exception, title: str) -> SaidRefusal:
    """The same in this language."""
    if isinstance(error, HTTPException):
        text = _HTTP.get(HTTPStatus(error.status_code), N_("The portal could not read this request."))
        return SaidRefusal(language.code, language.gettext(text), language.gettext(text), ())
    messages = _messages(error, language)
    return SaidRefusal(language.code, language.text(title), _detail(error, messages, language), messages)


def _messages(error: Exception, language: Language) -> Sequence[str]:
    match error:
        case RequestValidationError():
            return [say_request_item(item, language) for item in error.errors()]
        case (
            app.InvalidSubmission()
            | app.InvalidEntry()
            | app.ChangeImpossible()
            | InvalidParameters()
            | InvalidSiteTemplate()
        ):
            return [problem.text for problem in problems_of(error, language)]
        case InvalidJobSpec():
            return [say_sentence(error.text, error.facts, language)]
        case InvalidAmount():
            return [say_amount_problem(error, language)]
    return ()


def _detail(error: Exception, messages: Sequence[str], language: Language) -> str:
    match error:
        case RequestValidationError():
            return " ".join(messages)
        case app.ProjectNotFound():
            return language.gettext(N_("There is no such project, or none that you can see."))
        case app.PortalError() | QuotaError() | WorkloadError() | SchedulerError():
            return " ".join(problem.text for problem in problems_of(error, language))
    return language.gettext(
        N_("Something went wrong on our side. Tell the city's administrators the request id.")
    )
