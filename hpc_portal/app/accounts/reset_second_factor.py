"""Take a person's second factor away for them: they lost the phone, and the codes on paper."""

from sqlalchemy import Connection, delete
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.find import find_person
from hpc_portal.app.accounts.tables import KnownBrowser, PendingSignIn, SecondFactor
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from hpc_portal.app.tables import BrowserSession


def reset_second_factor(services: Services, actor: Actor, username: str, *, reason: str) -> int:
    """The password alone signs them in again, until they set codes up anew; they are told, by mail too.

    Every browser of theirs is signed out, for the phone may be somebody else's by now; how many. Ask them who
    they are before: whoever talks an administrator into this needs nothing but the password.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such person.
        InvalidEntry: no reason, they have no second factor, or it is the actor's own: that takes a code, or
            else a stolen session could do without.
    """
    permissions.require(actor, Action.GRANT)
    checks.require([reason_problem(reason)])
    now = services.clock.now()

    def work(connection: Connection) -> int:
        user_id = find_person(connection, username)
        if user_id == actor.user_id:
            raise InvalidEntry([Problem("username", "Give up your own one in the settings, with a code.")])
        is_theirs = col(SecondFactor.user_id) == user_id
        dropped = connection.execute(delete(SecondFactor).where(is_theirs)).rowcount
        if not dropped:
            raise InvalidEntry([Problem("username", "%(name)s has no one-time codes.", {"name": username})])
        for table in (PendingSignIn, KnownBrowser):
            connection.execute(delete(table).where(col(table.user_id) == user_id))
        ended = connection.execute(
            delete(BrowserSession).where(col(BrowserSession.user_id) == user_id)
        ).rowcount
        notify(
            connection,
            to={user_id},
            kind=NoticeKind.SECOND_FACTOR_RESET,
            facts={"by": actor.display_name, "reason": reason.strip()},
            at=now,
            key=f"second-factor-reset:{user_id}:{now.isoformat()}",
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="second_factor.reset",
            subject=username,
            reason=reason.strip(),
            sessions=ended,
        )
        return ended

    return transact(services.engine, work)
