"""Put an announcement aside: it does not stand on every page any more, for this person alone."""

from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import list_in_force
from hpc_portal.app.announcements.tables import AnnouncementDismissal
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.tables import table_of

_INSERT = insert_once(table_of(AnnouncementDismissal))


def dismiss_announcement(services: Services, actor: Actor, announcement_id: UUID) -> None:
    """Again is fine.

    Raises:
        NotFound: nothing of this id is announced to the actor now.
    """
    now = services.clock.now()
    with services.reading() as session:
        known = {one.id for one in list_in_force(session, actor, at=now, with_dismissed=True)}
    if announcement_id not in known:
        raise NotFound("announcement", announcement_id)
    row = {"announcement_id": announcement_id, "user_id": actor.user_id, "dismissed_at": now}

    def work(connection: Connection) -> None:
        connection.execute(_INSERT[connection.dialect.name], row)

    transact(services.engine, work)
