"""From an error to an application/problem+json reply (RFC 9457): one row per error class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from hpc_portal.app import errors as app
from hpc_portal.app.requests.shortage import Shortage, may_be_asked_for
from hpc_portal.auth import errors as auth
from quotas import errors as quotas
from schedulers import errors as schedulers
from workloads import errors as workloads


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What a client can tell apart: the status, a stable name and a title that never changes."""

    status: int
    name: str
    title: str
    """In English; readers of other languages get it translated."""


class Said(Protocol):
    """The words of a refusal in the reader's language; everything else of it is the same in all languages."""

    @property
    def language(self) -> str:
        """Its code, as in Content-Language."""

    @property
    def title(self) -> str:
        """The kind's title."""

    @property
    def detail(self) -> str:
        """What went wrong and what to do."""

    @property
    def messages(self) -> Sequence[str]:
        """One for each field that is wrong, in the order in which the refusal names them."""


PROBLEMS: Mapping[type[Exception], ProblemKind] = {
    app.NotFound: ProblemKind(404, "not-found", "Not found"),
    app.JobNotFound: ProblemKind(404, "job-not-found", "Job not found"),
    app.CampaignNotFound: ProblemKind(404, "campaign-not-found", "Campaign not found"),
    app.ProjectNotFound: ProblemKind(404, "project-not-found", "Project not found"),
    app.FileNotInWorkspace: ProblemKind(404, "file-not-found", "File not found"),
    app.NotAllowed: ProblemKind(403, "not-allowed", "Not allowed"),
    app.InvalidSubmission: ProblemKind(422, "invalid-submission", "The job cannot run as asked"),
    app.ChangeImpossible: ProblemKind(409, "change-impossible", "The job cannot be changed so"),
    app.InvalidEntry: ProblemKind(422, "invalid-entry", "Some fields are wrong"),
    app.NameTaken: ProblemKind(409, "name-taken", "The name is taken"),
    app.IdempotencyKeyReused: ProblemKind(409, "idempotency-key-reused", "Idempotency-Key reused"),
    app.TenantNotActive: ProblemKind(403, "tenant-not-active", "Submissions are suspended"),
    app.TenantClosed: ProblemKind(409, "tenant-closed", "Closed for good"),
    app.InvitationOver: ProblemKind(404, "invitation-over", "The invitation is not good any more"),
    app.TooManyInvitations: ProblemKind(429, "too-many-invitations", "Too many invitations"),
    app.NobodyLeads: ProblemKind(409, "nobody-leads", "Somebody must lead"),
    app.ClassEnded: ProblemKind(409, "class-ended", "The class is over"),
    app.RequestNotOpen: ProblemKind(409, "request-not-open", "The request cannot be changed so any more"),
    app.DiscrepancyDecided: ProblemKind(409, "discrepancy-decided", "Somebody decided on it"),
    app.RefundCaseRefused: ProblemKind(409, "refund-case-refused", "No refund as things stand"),
    app.FileExists: ProblemKind(409, "file-exists", "The name is taken"),
    app.NoRoomForFile: ProblemKind(507, "no-room-for-file", "The project's storage has no room for it"),
    app.DiskFull: ProblemKind(507, "disk-full", "The file system has no room"),
    app.UploadOutOfStep: ProblemKind(409, "upload-out-of-step", "The upload goes on elsewhere"),
    app.WaveformUnreadable: ProblemKind(422, "waveform-unreadable", "The waveform cannot be shown"),
    app.WaveformsBusy: ProblemKind(503, "waveforms-busy", "Too many waveforms are being read"),
    app.ClusterNotSeenYet: ProblemKind(503, "cluster-not-seen-yet", "The cluster has not reported yet"),
    app.IdentityNotLinked: ProblemKind(403, "identity-not-linked", "No account belongs to this identity"),
    app.IdentityTaken: ProblemKind(409, "identity-taken", "Linked already"),
    app.SecondFactorNeeded: ProblemKind(401, "second-factor-needed", "A one-time code is needed"),
    app.WrongCode: ProblemKind(401, "wrong-code", "Wrong one-time code"),
    app.WrongCredentials: ProblemKind(401, "wrong-credentials", "Wrong user name or password"),
    auth.SignInRequired: ProblemKind(401, "sign-in-required", "Sign in first"),
    auth.CrossSiteRequest: ProblemKind(403, "cross-site-request", "Not from a page of the portal"),
    auth.ScopeTooSmall: ProblemKind(403, "scope-too-small", "The token is not good for this"),
    auth.IdentityUnavailable: ProblemKind(503, "identity-unavailable", "The identity did not answer"),
    auth.TooManyAttempts: ProblemKind(429, "too-many-attempts", "Too many attempts"),
    quotas.BudgetExceeded: ProblemKind(409, "budget-exceeded", "The budget is too small"),
    quotas.StorageExceeded: ProblemKind(409, "storage-exceeded", "The storage is full"),
    quotas.AllocationStopped: ProblemKind(409, "allocation-stopped", "The budget is suspended or closed"),
    quotas.NotEnoughFree: ProblemKind(409, "not-enough-free", "Less is free than that"),
    quotas.AllocationNotFound: ProblemKind(404, "allocation-not-found", "Allocation not found"),
    quotas.AllocationStateRefused: ProblemKind(409, "allocation-state", "The allocation's state forbids it"),
    quotas.RefundRefused: ProblemKind(409, "refund-refused", "More than can be refunded"),
    quotas.NothingCovers: ProblemKind(409, "nothing-covers", "No allocation pays for it"),
    quotas.LimitExceeded: ProblemKind(409, "limit-exceeded", "A limit is reached"),
    quotas.NoPriceList: ProblemKind(503, "no-price-list", "No prices are in force"),
    quotas.PricesChanged: ProblemKind(409, "prices-changed", "Other prices were published"),
    quotas.PriceListNotPublished: ProblemKind(409, "price-list-not-published", "Not a published price list"),
    quotas.PriceListRetired: ProblemKind(409, "price-list-retired", "These prices were just retired"),
    quotas.DraftNotFound: ProblemKind(404, "draft-not-found", "Draft not found"),
    quotas.DraftChanged: ProblemKind(409, "draft-changed", "Somebody else changed the draft"),
    quotas.UnpricedResource: ProblemKind(422, "unpriced-resource", "A resource has no price"),
    quotas.MonthNotClosable: ProblemKind(409, "month-not-closable", "The month cannot be closed now"),
    quotas.HoldNotFound: ProblemKind(409, "hold-not-found", "Nothing is held for the job"),
    quotas.KeyReused: ProblemKind(409, "key-reused", "An idempotency key was reused"),
    quotas.InvalidAmount: ProblemKind(422, "invalid-amount", "An amount makes no sense"),
    workloads.TemplateNotFound: ProblemKind(404, "template-not-found", "Template not found"),
    workloads.InvalidParameters: ProblemKind(422, "invalid-parameters", "Some parameters are wrong"),
    workloads.InvalidSiteTemplate: ProblemKind(422, "invalid-template", "The template cannot be published"),
    schedulers.InvalidJobSpec: ProblemKind(422, "invalid-job-spec", "The job contradicts itself"),
    schedulers.SchedulerRefused: ProblemKind(409, "scheduler-refused", "The scheduler refused"),
    schedulers.SchedulerUnavailable: ProblemKind(
        503, "scheduler-unavailable", "The scheduler does not answer"
    ),
    schedulers.SubmitUncertain: ProblemKind(503, "submit-uncertain", "The scheduler did not answer"),
    schedulers.SchedulerBroken: ProblemKind(503, "scheduler-broken", "The scheduler's backend starts anew"),
    RequestValidationError: ProblemKind(422, "invalid-request", "The request cannot be read"),
}
"""The most specific class of an error decides. A test holds that every leaf has its row."""

_INTERNAL = ProblemKind(500, "internal-error", "The portal failed")
_RETRY_SECONDS = 5


def kind_of(error: Exception) -> ProblemKind:
    """The row of an error's most specific class; an internal error when it is not one of ours."""
    if isinstance(error, HTTPException):
        return ProblemKind(error.status_code, f"http-{error.status_code}", str(error.detail))
    for known in type(error).__mro__:
        if known in PROBLEMS:
            return PROBLEMS[known]
    return _INTERNAL


def said_to(request: Request, error: Exception) -> Said | None:
    """An error in the words of whoever sent the request; None for English. asgi.py puts the speaker there."""
    say: Callable[[Request, Exception, str], Said | None] = request.app.state.say_refusal
    return say(request, error, kind_of(error).title)


def problem_reply(request: Request, error: Exception, said: Said | None = None) -> JSONResponse:
    """The reply to a request that ended in this error; an unknown one tells nothing but its request id.

    Args:
        request: what was asked.
        error: what it ended in.
        said: the words in the reader's language; None for English.
    """
    kind = kind_of(error)
    content: dict[str, Any] = {
        "type": f"/problems/{kind.name}",
        "title": said.title if said else kind.title,
        "status": kind.status,
        "detail": said.detail if said else _detail(error, kind),
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", ""),
    }
    if problems := _field_problems(error):
        messages = said.messages if said else [problem["message"] for problem in problems]
        content["problems"] = [
            {"field": problem["field"], "message": message}
            for problem, message in zip(problems, messages, strict=True)
        ]
    if isinstance(error, quotas.BudgetExceeded) and may_be_asked_for(error):
        content["change_request"] = _change_request(error)
    return JSONResponse(
        content,
        status_code=kind.status,
        headers={
            **_headers(error, kind),
            "content-language": said.language if said else "en",
            "vary": "Accept-Language",
        },
        media_type="application/problem+json",
    )


def _detail(error: Exception, kind: ProblemKind) -> str:
    if isinstance(error, HTTPException):
        return kind.title
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{item['field']}: {item['message']}" for item in _field_problems(error))
    if kind is _INTERNAL:
        return "Something went wrong on our side. Tell the city's administrators the request id."
    return str(error)


def _change_request(error: quotas.BudgetExceeded) -> dict[str, Any]:
    """The request for quota that would let it through: POST `body` to `href`, or open `page`."""
    short = Shortage.of(error)
    return {
        "href": "/api/v1/requests/from-shortage",
        "body": {"project": short.project, "missing": dict(short.missing)},
        "page": short.page,
    }


def _headers(error: Exception, kind: ProblemKind) -> dict[str, str]:
    if isinstance(error, HTTPException):
        return dict(error.headers or {})
    if isinstance(error, auth.TooManyAttempts):
        return {"retry-after": str(error.retry_after_seconds)}
    match kind.status:
        case 401:
            return {"www-authenticate": 'Bearer realm="hpc-portal"'}
        case 503:
            return {"retry-after": str(_RETRY_SECONDS)}
        case _:
            return {}


def _field_problems(error: Exception) -> Sequence[dict[str, str]]:
    match error:
        case RequestValidationError():
            return [_request_problem(item) for item in error.errors()]
        case app.InvalidSubmission() | app.InvalidEntry() | workloads.InvalidParameters():
            return [{"field": problem.field, "message": problem.message} for problem in error.problems]
        case workloads.InvalidSiteTemplate():
            return [{"field": one.field, "message": one.placed_message} for one in error.problems]
        case app.ChangeImpossible():
            return [{"field": error.problem.field, "message": error.problem.message}]
        case schedulers.InvalidJobSpec() | quotas.InvalidAmount():
            return [{"field": error.field, "message": error.problem}]
        case _:
            return ()


def _request_problem(item: Mapping[str, Any]) -> dict[str, str]:
    """One of pydantic's errors; a JobSpec's own words go before pydantic's."""
    location = [str(part) for part in item["loc"] if part != "body"]
    cause = item.get("ctx", {}).get("error")
    if item["type"] == "json_invalid":
        return {"field": "body", "message": f"This is not JSON: {cause}"}
    if isinstance(cause, schedulers.InvalidJobSpec):
        return {"field": ".".join([*location, cause.field]), "message": cause.problem}
    return {"field": ".".join(location) or "body", "message": str(item["msg"])}
