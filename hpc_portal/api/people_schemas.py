"""Bodies and replies about people, their sign-in, organisations, projects and members."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.app.tables import GlobalRole, OrganisationRole, ProjectRole, TokenScope
from quotas.tables import OrganisationKind, TenantState


class SignInBody(Body):
    """A password in exchange for a token."""

    username: Text
    password: Annotated[str, Field(max_length=1000)]
    code: Annotated[str, Field(max_length=20)] = ""
    """The one-time code, for people with a second factor."""
    name: Text = "API"
    """What the token is called in the list of tokens."""
    valid_days: int | None = None


class TokenBody(Body):
    """A token to be."""

    name: Text
    valid_days: int | None = None
    scope: TokenScope = TokenScope.EVERYTHING
    """`read`: look only; `jobs`: also submit, change and cancel jobs; `everything`: all that you may."""
    project: Text = ""
    """Good for this project only (its account); empty: for all of yours."""


class IssuedTokenReply(Reply):
    """A new token; `token` is shown this once."""

    id: UUID
    name: str
    token: str
    created_at: datetime
    expires_at: datetime | None


class SessionReply(Reply):
    """A browser in which you are signed in."""

    id: str
    """Names it, and lets nobody in."""
    created_at: datetime
    expires_at: datetime
    user_agent: str


class TokenReply(Reply):
    """A token without its secret."""

    id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    scope: TokenScope
    project: str
    """The only project it is good for; "" for all of yours."""


class ProjectReply(Reply):
    """A project, and what you may do in it."""

    account: str
    name: str
    state: TenantState
    organisation: str
    organisation_name: str
    role: ProjectRole | None
    may_submit: bool
    may_manage_members: bool
    is_students_part: bool
    """Of a class that you teach: yours to look after, not to work in."""


class OrganisationReply(Reply):
    """An organisation, and your place in it."""

    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    role: OrganisationRole | None


class MeReply(Reply):
    """Who you are to the portal."""

    username: str
    display_name: str
    cluster_user: str
    cluster_accounts: dict[str, str]
    """Your account on each cluster that gives out its own; elsewhere your jobs run as `cluster_user`."""
    locale: str
    theme: str
    global_role: GlobalRole | None
    organisations: list[OrganisationReply]
    projects: list[ProjectReply]


class AppearanceBody(Body):
    """How the portal looks to you; what is left out stays."""

    display_name: Text | None = None
    locale: Text | None = None
    theme: Text | None = None


class PasswordBody(Body):
    """Your new password; ends all your other browser sessions."""

    present: Annotated[str, Field(max_length=1000)]
    new: Annotated[str, Field(max_length=1000)]


class EmailBody(Body):
    """Another e-mail address of yours, and your password as a proof that it is you."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1000)] = ""


class EmailReply(Reply):
    """What became of it."""

    is_changed: bool
    """False: a link was mailed there, which you have to open within a day."""


class ConfirmEmailBody(Body):
    """The secret at the end of the link that was mailed."""

    secret: Annotated[str, Field(min_length=1, max_length=200)]


class MemberReply(Reply):
    """A person's place in a project or organisation."""

    username: str
    display_name: str
    role: str


class ProjectMemberBody(Body):
    """A place in a project; null takes it away."""

    role: ProjectRole | None


class OrganisationMemberBody(Body):
    """A place in an organisation; null takes it away."""

    role: OrganisationRole | None


class UserBody(Body):
    """A person to be."""

    username: Text
    display_name: Text
    password: Annotated[str, Field(max_length=2000)]
    email: Text = ""
    global_role: GlobalRole | None = None
    cluster_user: Text = ""
    """The account that jobs run as; "" takes the user name."""


class UserReply(Reply):
    """A person, for administrators and auditors."""

    id: UUID
    username: str
    display_name: str
    email: str
    global_role: GlobalRole | None
    cluster_user: str
    is_active: bool
    created_at: datetime
    has_second_factor: bool
    """Whether a one-time code is asked for beside the password."""


class ClusterAccountBody(Body):
    """The account that a person has on a cluster."""

    cluster_user: Text
    uid: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Its number there; null: as the portal's machine knows it."""


class ClusterAccountReply(Reply):
    """The account that a person has on a cluster, for administrators and auditors."""

    cluster: str
    username: str
    cluster_user: str
    uid: int


class NewPasswordBody(Body):
    """A password set by an administrator."""

    new: Annotated[str, Field(max_length=2000)]


class OrganisationBody(Body):
    """An organisation to be."""

    slug: Text
    name: Text
    kind: OrganisationKind


class ProjectBody(Body):
    """A project to be."""

    organisation: Text
    account: Text
    name: Text
