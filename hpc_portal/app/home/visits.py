"""Tell a new visit from one that goes on, so that what happened in between can be shown."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.home.tables import HomeVisit
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.tables import table_of

_VISITS = table_of(HomeVisit)
BREAK = timedelta(minutes=30)
"""Who does not look for so long has been away."""
GRAIN = timedelta(minutes=1)
"""A start page that is opened again within it writes nothing."""


def come_back(services: Services, actor: Actor) -> datetime | None:
    """Since when the actor had been away before this visit; None on the first visit.

    Stays the same for all of a visit, in every browser.
    """
    now = services.clock.now()
    with services.engine.connect() as connection:
        row = connection.execute(
            select(_VISITS.c.seen_at, _VISITS.c.away_since).where(_VISITS.c.user_id == actor.user_id)
        ).first()
    if row and now - row.seen_at < GRAIN:
        found: datetime | None = row.away_since
        return found
    is_new = row is not None and now - row.seen_at >= BREAK
    away_since = row.seen_at if row and is_new else row.away_since if row else None

    def work(connection: Connection) -> None:
        values = {"user_id": actor.user_id, "seen_at": now, "away_since": away_since}
        connection.execute(insert_once(_VISITS)[connection.dialect.name], values)
        connection.execute(
            update(_VISITS)
            .where(_VISITS.c.user_id == actor.user_id, _VISITS.c.seen_at < now)
            .values(seen_at=now, away_since=away_since)
        )

    transact(services.engine, work)
    return away_since
