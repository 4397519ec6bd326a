"""The published templates as each web process keeps them: current versions and who may use them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.templates.tables import SiteTemplateRow, SiteTemplateVersion
from quotas.tables import Organisation, Project
from workloads.site.document import Document, WhoMayUse
from workloads.site.template import SiteTemplate
from workloads.site.words import Locale

log = structlog.get_logger()

_MOST_KEPT = 256


@dataclass(frozen=True, slots=True)
class Published:
    """The current version of a template that is offered."""

    name: str
    version: int
    text: str
    is_for_everybody: bool
    organisation_ids: frozenset[UUID]
    """Whose projects may all use it."""
    project_organisations: Mapping[UUID, UUID]
    """The projects that may use it by themselves, with their organisations."""

    def serves(self, *, project_id: UUID, organisation_id: UUID) -> bool:
        """Whether jobs of this project may use it."""
        return (
            self.is_for_everybody
            or organisation_id in self.organisation_ids
            or project_id in self.project_organisations
        )

    def is_seen_by(self, actor: Actor) -> bool:
        """Whether the actor belongs to who may use it, manages such, or sees the whole city."""
        if self.is_for_everybody or permissions.may(actor, Action.VIEW):
            return True
        managed = {key for key, role in actor.organisations.items() if role is OrganisationRole.MANAGER}
        belongs = {*actor.organisations, *actor.project_organisations.values()}
        return bool(
            belongs & self.organisation_ids
            or self.project_organisations.keys() & actor.projects.keys()
            or managed & set(self.project_organisations.values())
        )

    def template(self, locale: Locale = "en") -> SiteTemplate | None:
        """It, in this language; None when this portal cannot read it any more."""
        return template_from(self.text, self.version, locale)


def load(connection: Connection) -> Mapping[str, Published]:
    """Every template that is offered, by name, in the order of names."""
    current = (
        select(col(SiteTemplateRow.name), col(SiteTemplateRow.version), col(SiteTemplateVersion.document))
        .join(
            SiteTemplateVersion,
            (col(SiteTemplateVersion.name) == col(SiteTemplateRow.name))
            & (col(SiteTemplateVersion.version) == col(SiteTemplateRow.version)),
        )
        .where(col(SiteTemplateRow.retired_at).is_(None))
        .order_by(col(SiteTemplateRow.name))
    )
    found: dict[str, Published] = {}
    for name, version, text in connection.execute(current):
        template = template_from(text, version, "en")
        if template is None:
            continue
        who = template.document.who_may_use
        organisations, projects = _owners(connection, who)
        found[name] = Published(name, version, text, who.is_everybody, organisations, projects)
    return found


@lru_cache(maxsize=_MOST_KEPT)
def template_from(text: str, version: int, locale: Locale) -> SiteTemplate | None:
    """The template of a stored document; None when this portal cannot read it any more, which is logged."""
    try:
        return SiteTemplate(Document.model_validate(tomllib.loads(text)), version=version, locale=locale)
    except (ValidationError, ValueError) as problem:
        log.warning("template.unreadable", version=version, problem=str(problem)[:500])
        return None


def _owners(connection: Connection, who: WhoMayUse) -> tuple[frozenset[UUID], Mapping[UUID, UUID]]:
    if who.is_everybody:
        return frozenset(), {}
    named = col(Organisation.slug).in_(who.organisations) | col(Organisation.kind).in_(who.organisation_kinds)
    organisations = connection.execute(select(col(Organisation.id)).where(named)).scalars()
    projects = connection.execute(
        select(col(Project.id), col(Project.organisation_id)).where(col(Project.account).in_(who.projects))
    )
    return frozenset(organisations), {row.id: row.organisation_id for row in projects}
