"""What pages, endpoints and commands show of prices and subsidies; reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import NotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from quotas import compare_prices
from quotas.compare_prices import PriceChange, Unpriced
from quotas.draft_prices import Draft, list_drafts, read_draft
from quotas.errors import NoPriceList
from quotas.pricing import PriceItem, PriceList
from quotas.publish_prices import (
    PublishedList,
    current_price_list,
    latest_version,
    list_price_lists,
    load_price_list,
)
from quotas.subsidy_tables import Programme, ProgrammeProject, SubsidyRuleRow
from quotas.tables import Organisation, OrganisationKind, PriceListState, Project, table_of


class Standing(StrEnum):
    """Where a published list stands today."""

    COMING = "coming"
    IN_FORCE = "in_force"
    PAST = "past"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ShownList:
    """A published list, its prices, and where it stands."""

    version: int
    standing: Standing
    valid_from: datetime
    published_at: datetime
    retired_at: datetime | None
    items: tuple[PriceItem, ...]


@dataclass(frozen=True, slots=True)
class DraftReview:
    """A draft beside what would be in force without it."""

    draft: Draft
    latest: int
    """The latest version that was ever published: a publication names it."""
    changes: tuple[PriceChange, ...]
    """Against the list that is in force now."""
    unpriced: tuple[Unpriced, ...]
    """What jobs could ask for on the clusters, and could not pay for."""
    unknown: tuple[PriceItem, ...]
    """Prices of what no cluster has."""


def price_lists(connection: Connection, at: datetime) -> list[ShownList]:
    """Every list that was ever published, the newest version in front; everybody may know them."""
    published = list_price_lists(connection)
    in_force = _version_in_force(connection, at)
    return [
        ShownList(
            version=item.version,
            standing=_standing(item, in_force, at),
            valid_from=item.valid_from,
            published_at=item.published_at,
            retired_at=item.retired_at,
            items=load_price_list(connection, item.id).items,
        )
        for item in published
    ]


def price_list(connection: Connection, version: int, at: datetime) -> ShownList:
    """One published list.

    Raises:
        NotFound: there is no such version.
    """
    for item in price_lists(connection, at):
        if item.version == version:
            return item
    raise NotFound("price list", version)


def drafts(connection: Connection, actor: Actor) -> list[Draft]:
    """All drafts; for administrators and auditors.

    Raises:
        NotAllowed: for nobody else.
    """
    permissions.require(actor, Action.AUDIT)
    return list_drafts(connection)


def review_draft(services: Services, connection: Connection, actor: Actor, draft_id: int) -> DraftReview:
    """What publishing a draft would change; for administrators and auditors.

    Raises:
        NotAllowed: for nobody else.
        DraftNotFound: it was published or discarded.
    """
    permissions.require(actor, Action.AUDIT)
    draft = read_draft(connection, draft_id)
    try:
        before = current_price_list(connection, services.clock.now())
    except NoPriceList:
        before = PriceList(id=0, version=0, items=())
    clusters = services.clusters.get()
    return DraftReview(
        draft,
        latest_version(connection),
        tuple(compare_prices.compare(before.items, draft.items)),
        tuple(compare_prices.unpriced(draft.items, clusters)),
        tuple(compare_prices.unknown(draft.items, clusters)) if clusters else (),
    )


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One subsidy rule, by names."""

    id: int
    organisation: str | None
    """Slug."""
    programme: str | None
    organisation_kind: OrganisationKind | None
    basis_points: int
    cap_vnd: int | None
    valid_from: datetime
    valid_to: datetime | None
    standing: Standing
    reason: str


def subsidy_rules(connection: Connection, actor: Actor, at: datetime) -> list[ShownRule]:
    """Every rule, ended ones too, the newest in front.

    Rules that name an organisation are seen by its own people, administrators and auditors only: what
    another tenant pays is nobody's business.
    """
    rows: Sequence[AnyRow] = connection.execute(
        select(table_of(SubsidyRuleRow), col(Organisation.slug).label("slug"))
        .outerjoin(Organisation, col(Organisation.id) == col(SubsidyRuleRow.organisation_id))
        .order_by(col(SubsidyRuleRow.id).desc())
    ).all()
    return [
        ShownRule(
            id=row.id,
            organisation=row.slug,
            programme=row.programme,
            organisation_kind=row.organisation_kind,
            basis_points=row.basis_points,
            cap_vnd=row.cap_vnd,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            standing=_rule_standing(row.valid_from, row.valid_to, at),
            reason=row.reason,
        )
        for row in rows
        if row.organisation_id is None
        or permissions.may(actor, Action.AUDIT)
        or row.organisation_id in {*actor.organisations, *actor.project_organisations.values()}
    ]


@dataclass(frozen=True, slots=True)
class ShownProgramme:
    """A programme, and which projects take part in it now."""

    slug: str
    name: str
    projects: tuple[str, ...]
    """Account names; only those that the reader may see."""


def programmes(connection: Connection, actor: Actor) -> list[ShownProgramme]:
    """All programmes by name, with the projects that the reader may see."""
    found = connection.execute(
        select(col(Programme.slug), col(Programme.name)).order_by(col(Programme.name))
    ).all()
    members = connection.execute(
        select(col(ProgrammeProject.programme), col(Project.account))
        .join(Project, col(Project.id) == col(ProgrammeProject.project_id))
        .where(col(ProgrammeProject.removed_at).is_(None), permissions.visible_projects(actor))
        .order_by(col(Project.account))
    ).all()
    return [
        ShownProgramme(
            row.slug, row.name, tuple(member.account for member in members if member.programme == row.slug)
        )
        for row in found
    ]


def _version_in_force(connection: Connection, at: datetime) -> int | None:
    try:
        return current_price_list(connection, at).version
    except NoPriceList:
        return None


def _standing(item: PublishedList, in_force: int | None, at: datetime) -> Standing:
    if item.state is PriceListState.RETIRED:
        return Standing.RETIRED
    if item.version == in_force:
        return Standing.IN_FORCE
    return Standing.COMING if item.valid_from > at else Standing.PAST


def _rule_standing(valid_from: datetime, valid_to: datetime | None, at: datetime) -> Standing:
    if valid_to is not None and valid_to <= at:
        return Standing.PAST
    return Standing.COMING if valid_from > at else Standing.IN_FORCE
