"""Site templates as administrators look at them: versions, documents, who may use them; reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import User
from hpc_portal.app.templates.published import template_from
from hpc_portal.app.templates.tables import SiteTemplateRow, SiteTemplateVersion
from workloads.errors import TemplateNotFound
from workloads.site.document import WhoMayUse
from workloads.site.words import Locale


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One version as it was published."""

    name: str
    version: int
    title: str
    """In the reader's language; "" when this portal cannot read the document any more."""
    who_may_use: WhoMayUse
    published_at: datetime
    published_by: str | None
    """A user name; None: the operator, or the site's folder."""
    is_current: bool
    retired_at: datetime | None
    document: str


def list_versions(
    session: Session, actor: Actor, locale: Locale = "en", *, name: str = "", current_only: bool = False
) -> Sequence[TemplateVersion]:
    """Every version of every template, by name, the newest first; perhaps of one template only.

    Raises:
        NotAllowed: the actor does not see the whole city.
    """
    permissions.require(actor, Action.VIEW)
    is_current = col(SiteTemplateVersion.version) == col(SiteTemplateRow.version)
    statement = (
        select(
            col(SiteTemplateVersion.name),
            col(SiteTemplateVersion.version),
            col(SiteTemplateVersion.document),
            col(SiteTemplateVersion.published_at),
            col(User.username),
            is_current.label("is_current"),
            col(SiteTemplateRow.retired_at),
        )
        .join(SiteTemplateRow, col(SiteTemplateRow.name) == col(SiteTemplateVersion.name))
        .outerjoin(User, col(User.id) == col(SiteTemplateVersion.published_by))
        .order_by(col(SiteTemplateVersion.name), col(SiteTemplateVersion.version).desc())
    )
    if name:
        statement = statement.where(col(SiteTemplateVersion.name) == name)
    if current_only:
        statement = statement.where(is_current)
    found = []
    for row in session.connection().execute(statement):
        template = template_from(row.document, row.version, locale)
        found.append(
            TemplateVersion(
                name=row.name,
                version=row.version,
                title=template.title if template else "",
                who_may_use=template.document.who_may_use if template else WhoMayUse(),
                published_at=row.published_at,
                published_by=row.username,
                is_current=row.is_current,
                retired_at=row.retired_at,
                document=row.document,
            )
        )
    return found


def get_version(
    session: Session, actor: Actor, name: str, version: int | None = None, locale: Locale = "en"
) -> TemplateVersion:
    """One version, by default the current one.

    Raises:
        NotAllowed: the actor does not see the whole city.
        TemplateNotFound: there is no such version.
    """
    for found in list_versions(session, actor, locale, name=name):
        if found.version == version or (version is None and found.is_current):
            return found
    raise TemplateNotFound(name if version is None else f"{name}@{version}", ())
