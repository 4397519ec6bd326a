"""Announcements: those in force for oneself, and all of them for those who answer for the city."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, exists, func, or_, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.tables import Announcement, AnnouncementDismissal
from hpc_portal.app.db import AnyRow
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import User
from quotas.tables import Organisation

_MOST = 20
"""More at once than anybody reads."""
_MOST_LISTED = 200


class AnnouncementStanding(StrEnum):
    """Where an announcement stands in time."""

    COMING = "coming"
    IN_FORCE = "in_force"
    OVER = "over"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ShownAnnouncement:
    """One announcement."""

    id: UUID
    organisation: str
    """The organisation's slug; "" for everybody."""
    is_urgent: bool
    text_vi: str
    text_en: str
    starts_at: datetime
    ends_at: datetime
    announced_by: str
    """Their name; "" for the operator on the machine."""
    announced_at: datetime
    standing: AnnouncementStanding
    is_dismissed: bool
    """By the asking person."""

    def text(self, language: str) -> str:
        """In one of the two languages."""
        return self.text_vi if language == "vi" else self.text_en


def audiences(connection: Connection, at: datetime) -> frozenset[UUID | None]:
    """For whom anything is announced now: organisations, and None for everybody."""
    found = connection.execute(select(col(Announcement.organisation_id)).where(*_in_force(at)).distinct())
    return frozenset(found.scalars())


def is_addressed(audience: Collection[UUID | None], actor: Actor) -> bool:
    """Whether anything of that is for the actor. Pure."""
    own = {*actor.organisations, *actor.project_organisations.values()}
    return None in audience or not own.isdisjoint(audience)


def list_in_force(
    session: Session, actor: Actor, *, at: datetime, with_dismissed: bool = False
) -> Sequence[ShownAnnouncement]:
    """What is announced to the actor now, urgent ones in front, then the newest."""
    own = {*actor.organisations, *actor.project_organisations.values()}
    statement = _announcements(actor).where(
        *_in_force(at),
        or_(col(Announcement.organisation_id).is_(None), col(Announcement.organisation_id).in_(list(own))),
    )
    if not with_dismissed:
        statement = statement.where(~_dismissed_by(actor))
    ordered = statement.order_by(col(Announcement.is_urgent).desc(), col(Announcement.id).desc())
    rows = session.connection().execute(ordered.limit(_MOST))
    return [_shown(row, at) for row in rows]


def list_announcements(session: Session, actor: Actor, *, at: datetime) -> Sequence[ShownAnnouncement]:
    """The latest ones, whoever they are for, the newest in front.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    statement = _announcements(actor).order_by(col(Announcement.id).desc()).limit(_MOST_LISTED)
    return [_shown(row, at) for row in session.connection().execute(statement)]


def _in_force(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Announcement.starts_at) <= at,
        col(Announcement.ends_at) > at,
        col(Announcement.withdrawn_at).is_(None),
    )


def _announcements(actor: Actor) -> Select[Any]:
    return (
        select(
            Announcement,
            func.coalesce(col(Organisation.slug), "").label("slug"),
            func.coalesce(col(User.display_name), "").label("by_name"),
            _dismissed_by(actor).label("is_dismissed"),
        )
        .outerjoin(Organisation, col(Organisation.id) == col(Announcement.organisation_id))
        .outerjoin(User, col(User.id) == col(Announcement.announced_by))
    )


def _dismissed_by(actor: Actor) -> Any:  # noqa: ANN401 - EXISTS, negated or not
    return exists().where(
        col(AnnouncementDismissal.announcement_id) == col(Announcement.id),
        col(AnnouncementDismissal.user_id) == actor.user_id,
    )


def _shown(row: AnyRow, at: datetime) -> ShownAnnouncement:
    return ShownAnnouncement(
        id=row.id,
        organisation=row.slug,
        is_urgent=row.is_urgent,
        text_vi=row.text_vi,
        text_en=row.text_en,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        announced_by=row.by_name,
        announced_at=row.announced_at,
        standing=_standing(row, at),
        is_dismissed=bool(row.is_dismissed),
    )


def _standing(row: AnyRow, at: datetime) -> AnnouncementStanding:
    if row.withdrawn_at is not None:
        return AnnouncementStanding.WITHDRAWN
    if row.ends_at <= at:
        return AnnouncementStanding.OVER
    return AnnouncementStanding.COMING if row.starts_at > at else AnnouncementStanding.IN_FORCE
