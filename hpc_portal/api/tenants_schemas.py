"""Bodies and replies about organisations, projects, their states, leadership and invitations."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from hpc_portal.api.people_schemas import MemberReply, ProjectReply
from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.change_state import LONGEST_REASON, JobsThen
from hpc_portal.app.tenants.invite import MOST_AT_ONCE
from quotas.tables import OrganisationKind, TenantState

Reason = Annotated[str, StringConstraints(max_length=LONGEST_REASON)]
Address = Annotated[str, StringConstraints(max_length=254)]


class StateBody(Body):
    """The state that an organisation or project shall have; closed is for good."""

    state: TenantState
    reason: Reason = ""
    """Shown to its people; needed unless it is resumed."""
    jobs: JobsThen = JobsThen.KEEP


class StateChangedReply(Reply):
    """What was done."""

    is_new: bool
    """False when it was in that state already."""
    jobs_cancelled: int


class StateRecordReply(Reply):
    """One change of a tenant's state."""

    was: TenantState
    state: TenantState
    reason: str
    by: str
    at: datetime


class HandOverBody(Body):
    """Who leads from now on; `former` may be left out by whoever leads alone, or themselves."""

    successor: Text
    former: Text = ""


class HandedOverReply(Reply):
    """Whether anything changed."""

    is_new: bool


class InviteBody(Body):
    """Whom to invite, as what."""

    emails: Annotated[list[Address], Field(min_length=1, max_length=MOST_AT_ONCE)]
    role: Text = "member"


class InvitedReply(Reply):
    """An invitation that stands; the link is shown once."""

    id: UUID
    email: str
    expires_at: datetime
    link: str
    """Empty for an address that was invited a moment ago: nothing was sent again."""


class InvitationReply(Reply):
    """An invitation as those see it who manage the members."""

    id: UUID
    email: str
    role: str
    account: str
    """The project's; empty for the organisation as a whole."""
    invited_by: str
    sent_at: datetime
    times_sent: int
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: str


class AcceptBody(Body):
    """The end of an invitation's link."""

    secret: Text


class JoinedReply(Reply):
    """Where you are a member now."""

    organisation: str
    account: str


class ProjectLineReply(Reply):
    """A project in the list of its organisation."""

    account: str
    name: str
    state: TenantState


class OrganisationDetailsReply(Reply):
    """An organisation, and what you may do in it."""

    id: UUID
    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    role: OrganisationRole | None
    may_manage_members: bool
    may_stop_projects: bool
    may_stop: bool
    history: list[StateRecordReply]
    projects: list[ProjectLineReply]
    members: list[MemberReply]


class ProjectDetailsReply(Reply):
    """A project with its people, and what you may do in it."""

    project: ProjectReply
    history: list[StateRecordReply]
    members: list[MemberReply]
    may_stop: bool
    may_split: bool


class TenantReply(Reply):
    """An organisation in the list of all."""

    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    projects: int
    members: int
    jobs_under_way: int
    granted_vnd: int
    held_vnd: int
    used_vnd: int
    available_vnd: int


class CityProjectReply(Reply):
    """A project in the list of all."""

    account: str
    name: str
    organisation: str
    organisation_name: str
    state: TenantState
    members: int
    jobs_under_way: int
    granted_vnd: int
    held_vnd: int
    used_vnd: int
    available_vnd: int


class OrganisationOverviewReply(Reply):
    """The projects of an organisation that you may see."""

    slug: str
    month: date
    charged_vnd: int
    """In this month, by all of them."""
    projects: list[CityProjectReply]
    charged_by_project: dict[str, int]
    """In this month, in đồng; those that used nothing are left out."""


class LinkBody(Body):
    """The end of an invitation's link."""

    secret: Text


class OpenInvitationReply(Reply):
    """What a link offers; to look at it uses nothing up."""

    organisation: str
    """Its name."""
    account: str
    """The project's; empty for the organisation as a whole."""
    role: str
    email: str
    invited_by: str
    expires_at: datetime
