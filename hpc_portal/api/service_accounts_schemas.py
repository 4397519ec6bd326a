"""Bodies and replies about service accounts of a project."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.app.service_accounts.create import LONGEST_DAYS
from hpc_portal.app.service_accounts.tables import ServiceEnd
from hpc_portal.app.tables import TokenScope


class ServiceAccountBody(Body):
    """A service account to be."""

    name: Text
    """Its part of the user name: `ci` of project `npu` is `ci@npu`."""
    purpose: Text
    owners: Annotated[list[Text], Field(max_length=50)] = Field(default_factory=list)
    """User names of people of the project who answer for it; empty: you."""
    valid_days: int = LONGEST_DAYS


class ServiceChangeBody(Body):
    """What is to be different; what is left out stays."""

    purpose: Text | None = None
    owners: Annotated[list[Text], Field(max_length=50)] | None = None
    valid_days: int | None = None
    """From now on."""


class ServiceTokenBody(Body):
    """A token to be."""

    name: Text
    scope: TokenScope = TokenScope.JOBS
    """`jobs`: submit, change and cancel jobs, and bring files; `read`: look only."""
    valid_days: int = 90


class RotateBody(Body):
    """A new token in an old one's stead."""

    overlap_hours: int = 24
    """The old one is good for so long."""


class CreatedServiceReply(Reply):
    """A new service account."""

    username: str


class ServiceTokenReply(Reply):
    """A token without its secret."""

    id: UUID
    name: str
    scope: TokenScope
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_good: bool


class ServiceAccountReply(Reply):
    """A service account, who answers for it, and its tokens."""

    username: str
    project: str
    purpose: str
    owners: list[str]
    cluster_user: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """When one of its tokens was last shown."""
    over: ServiceEnd | None
    """Why it is over; null while it is in force."""
    tokens: list[ServiceTokenReply]
    may_handle: bool
    """Whether you may issue, rotate and revoke its tokens, and end it."""
