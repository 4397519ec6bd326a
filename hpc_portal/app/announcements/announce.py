"""Announce something to everybody or to one organisation, and take it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.tables import Announcement
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from quotas.errors import KeyReused
from quotas.tables import Organisation
from workloads.template import N_

LONGEST_TEXT = 1000
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class NewAnnouncement:
    """What to announce, in both languages, to whom and for how long."""

    text_vi: str
    text_en: str
    starts_at: datetime | None
    """None: now."""
    ends_at: datetime | None
    organisation: str = ""
    """A slug; "" for everybody."""
    is_urgent: bool = False


def announce(services: Services, actor: Actor, wanted: NewAnnouncement, *, key: str) -> UUID:
    """Put it on every page of whom it concerns, for its time; its id. Again with the same key is fine.

    Raises:
        NotAllowed: only administrators may.
        NotFound: no such organisation.
        InvalidEntry: a text is missing or too long, or it ends before it begins, long ago or never.
        KeyReused: the key announced something else.
    """
    permissions.require(actor, Action.ANNOUNCE)
    now = services.clock.now()
    begin = wanted.starts_at or now
    texts = {"text_vi": wanted.text_vi.strip(), "text_en": wanted.text_en.strip()}
    require(
        [
            *(_text_problem(name, text) for name, text in texts.items()),
            _time_problem(begin, wanted.ends_at, now),
        ]
    )

    def work(connection: Connection) -> UUID:
        values = {
            **texts,
            "organisation_id": _organisation(connection, wanted.organisation),
            "is_urgent": wanted.is_urgent,
            "ends_at": wanted.ends_at,
        }
        if (earlier := _announced(connection, key, values)) is not None:
            return earlier
        announcement_id = new_id()
        connection.execute(
            insert(Announcement).values(
                id=announcement_id,
                key=key,
                starts_at=begin,
                announced_by=actor.user_id if actor.user_id.int else None,
                announced_at=now,
                **values,
            )
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="announcement.made",
            subject=wanted.organisation or "everybody",
            announcement_id=str(announcement_id),
            valid_from=begin.isoformat(),
            valid_to=wanted.ends_at.isoformat() if wanted.ends_at else None,
            is_urgent=wanted.is_urgent,
            **texts,
        )
        return announcement_id

    made = transact(services.engine, work)
    services.announced.forget()
    return made


def withdraw_announcement(services: Services, actor: Actor, announcement_id: UUID) -> None:
    """Nobody sees it from now on; again is fine.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is none of this id.
    """
    permissions.require(actor, Action.ANNOUNCE)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        row = connection.execute(
            select(col(Announcement.withdrawn_at), col(Announcement.text_vi), col(Organisation.slug))
            .outerjoin(Organisation, col(Organisation.id) == col(Announcement.organisation_id))
            .where(col(Announcement.id) == announcement_id)
        ).first()
        if row is None:
            raise NotFound("announcement", announcement_id)
        done = connection.execute(
            update(Announcement)
            .where(col(Announcement.id) == announcement_id, col(Announcement.withdrawn_at).is_(None))
            .values(withdrawn_at=now)
        )
        if done.rowcount:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="announcement.withdrawn",
                subject=row.slug or "everybody",
                announcement_id=str(announcement_id),
                text_vi=row.text_vi,
            )

    transact(services.engine, work)
    services.announced.forget()


def _text_problem(field: str, text: str) -> Problem | None:
    if 0 < len(text) <= LONGEST_TEXT:
        return None
    return Problem(field, N_("Write 1 to %(most)s characters in each language."), {"most": LONGEST_TEXT})


def _time_problem(begin: datetime, end: datetime | None, now: datetime) -> Problem | None:
    if end is None:
        return Problem("ends_at", N_("Say until when it is to be seen."))
    if end <= max(begin, now):
        return Problem("ends_at", N_("It must end after it begins, and not be over already."))
    if end - begin > LONGEST:
        return Problem("ends_at", N_("It can be seen for at most a year."))
    return None


def _organisation(connection: Connection, slug: str) -> UUID | None:
    if not slug:
        return None
    found: UUID | None = connection.execute(
        select(col(Organisation.id)).where(col(Organisation.slug) == slug)
    ).scalar()
    if found is None:
        raise NotFound("organisation", slug)
    return found


def _announced(connection: Connection, key: str, values: Mapping[str, object]) -> UUID | None:
    """What the key announced already; None for nothing.

    Raises:
        KeyReused: something else.
    """
    row = connection.execute(
        select(
            col(Announcement.id),
            col(Announcement.text_vi),
            col(Announcement.text_en),
            col(Announcement.organisation_id),
            col(Announcement.is_urgent),
            col(Announcement.ends_at),
        ).where(col(Announcement.key) == key)
    ).first()
    if row is None:
        return None
    if any(getattr(row, name) != value for name, value in values.items()):
        raise KeyReused(key)
    found: UUID = row.id
    return found
