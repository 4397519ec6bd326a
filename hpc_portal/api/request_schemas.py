"""Bodies and replies of requests for quota, and of notices."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from schedulers.instant import Instant

LongText = Annotated[str, StringConstraints(max_length=4000)]
Asset = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Amounts = Annotated[dict[Asset, Annotated[int, Field(strict=True)]], Field(max_length=200)]
"""TRES-seconds by TRES (mem: MiB-seconds), đồng under `VND`, GiB under `storage`; whole numbers."""


class RequestBody(Body):
    """All that a request asks for."""

    kind: RequestKind = RequestKind.NEW
    lines: Amounts = Field(default_factory=dict)
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    """Not included."""
    purpose: LongText = ""
    reasons: Annotated[dict[Asset, LongText], Field(max_length=200)] = Field(default_factory=dict)
    """Why so much of a resource is needed, by resource."""
    allocation_id: UUID | None = None
    """What to renew, extend or increase; null: the project's allocation that ends last."""


class RequestDraftBody(RequestBody):
    """A new request of a project."""

    project: Asset


class ShortageBody(Body):
    """What a refused submission lacked, as its problem's `change_request` says it."""

    project: Asset
    missing: Annotated[
        dict[Asset, Annotated[int, Field(gt=0, le=10**17)]], Field(min_length=1, max_length=40)
    ]


class EditBody(RequestBody):
    """All that a request asks for from now on."""

    version: int | None = None
    """The one that was read: refuses to overwrite what others changed since."""


class MessageBody(Body):
    """What is said with it."""

    message: LongText = ""


class RequestDecisionBody(MessageBody):
    """A decision about the version that was read; null decides it as it is now."""

    version: int | None = None


class PartBody(RequestDecisionBody):
    """What is granted of it."""

    granted: Amounts
    valid_to: Instant | None = None
    """An earlier end than asked."""


class RequestLineReply(Reply):
    """One resource of a request."""

    asset: str
    asked: int
    granted: int | None
    reason: str


class RequestSummaryReply(Reply):
    """A request in a list."""

    id: UUID
    account: str
    project_name: str
    organisation_name: str
    kind: RequestKind
    state: RequestState
    valid_from: datetime
    valid_to: datetime
    requested_by: str
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    lines: list[RequestLineReply]


class RequestEventReply(Reply):
    """One entry of a request's history."""

    deed: Deed
    state_before: RequestState | None
    state_after: RequestState
    at: datetime
    by: str
    message: str


class AttachmentReply(Reply):
    """A file of a request."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    added_by: str
    added_at: datetime


class RequestReply(RequestSummaryReply):
    """A whole request; `may` lists what you may do with it now."""

    version: int
    allocation_id: UUID | None
    purpose: str
    decided_by: str
    granted_to: datetime | None
    granted_allocation_id: UUID | None
    events: list[RequestEventReply]
    attachments: list[AttachmentReply]
    may: list[Deed]


class OutlookLineReply(Reply):
    """What a reviewer should know of one resource in the request's period."""

    asset: str
    asked: int
    capacity: int | None
    promised: int | None
    left: int | None
    """What can still be promised; null where the clusters have no such thing to count."""


class HoldingReply(Reply):
    """What a project or organisation has of one resource now."""

    asset: str
    granted: int
    held: int
    consumed: int
    available: int


class UseReply(Reply):
    """What was used in one month."""

    runs: int
    gpu_seconds: int
    cpu_seconds: int
    licence_seconds: int
    vnd: int


class MonthOfUseReply(Reply):
    """One month; the last one is not over."""

    month: date
    project: UseReply
    organisation: UseReply


class ExhaustionReply(Reply):
    """When the project's present budget runs out; null where it lasts, or nobody can know yet."""

    asset: str
    left: int
    last_day: date
    exhausted_on: date | None
    earliest_on: date | None
    latest_on: date | None


class OutlookReply(Reply):
    """What reviewers see beside a request."""

    lines: list[OutlookLineReply]
    availability_percent: int
    project: list[HoldingReply]
    organisation: list[HoldingReply]
    list_price_vnd: int | None
    """What is asked, at list prices; null where something has no price."""
    months: list[MonthOfUseReply]
    forecasts: list[ExhaustionReply]


class NoticeReply(Reply):
    """One notice, in the language of your account."""

    id: UUID
    kind: str
    at: datetime
    is_read: bool
    title: str
    body: str
    path: str


class ReadBody(Body):
    """Which notices were read; null: all."""

    ids: Annotated[list[UUID], Field(max_length=1000)] | None = None


class CountReply(Reply):
    """How many."""

    count: int


class NoticeChoiceBody(Body):
    """Whether notices also come by mail."""

    mail: Flag
