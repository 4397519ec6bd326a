"""Change how the portal looks to oneself, and one's password."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.authenticate import authenticate, hash_password
from hpc_portal.app.accounts.find import find_person
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem, WrongCredentials
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.permissions import Action, require
from hpc_portal.app.service_accounts.in_force import is_person
from hpc_portal.app.services import Services
from hpc_portal.app.tables import BrowserSession, User
from workloads.template import N_

LOCALES = ("vi", "en")
THEMES = ("auto", "light", "dark")
_CHANGED_MEANWHILE = N_(
    "The password was changed meanwhile. If it is to be another one still, send the form again."
)


def change_appearance(
    services: Services, actor: Actor, *, locale: str | None = None, theme: str | None = None
) -> None:
    """Store the language and the theme; None leaves as it is.

    Raises:
        InvalidEntry: there is no such language or theme.
    """
    checks.require(
        [
            None
            if locale in {None, *LOCALES}
            else Problem("locale", "Choose one of: %(known)s.", {"known": ", ".join(LOCALES)}),
            None
            if theme in {None, *THEMES}
            else Problem("theme", "Choose one of: %(known)s.", {"known": ", ".join(THEMES)}),
        ]
    )
    changes = {name: value for name, value in (("locale", locale), ("theme", theme)) if value is not None}
    if not changes:
        return

    def work(connection: Connection) -> None:
        connection.execute(update(User).where(col(User.id) == actor.user_id).values(changes))

    transact(services.engine, work)


def change_display_name(services: Services, actor: Actor, display_name: str) -> None:
    """Store how one is called on pages, in lists and mails.

    Raises:
        InvalidEntry: it is empty or too long.
    """
    name = " ".join(display_name.split())
    checks.require([checks.title_problem("display_name", name)])
    if name == actor.display_name:
        return
    now = services.clock.now()

    def work(connection: Connection) -> None:
        connection.execute(update(User).where(col(User.id) == actor.user_id).values(display_name=name))
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="user.renamed",
            subject=actor.username,
            display_name=name,
            was={"display_name": actor.display_name},
        )

    transact(services.engine, work)


def change_password(services: Services, actor: Actor, *, present: str, new: str, keep: str = "") -> None:
    """Set one's own password and end all of one's browser sessions, but that of the id `keep`.

    Raises:
        InvalidEntry: the present password is wrong, or the new one is too weak.
    """
    require_password(services, actor, present)
    password_hash = _hash_of(new, actor.username)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        _store(connection, actor.user_id, password_hash, keep=keep)
        _record(connection, actor, actor.username, now)

    transact(services.engine, work)


def require_password(services: Services, actor: Actor, present: str) -> None:
    """Let pass who knows their password; from a thread, as `authenticate`.

    Raises:
        InvalidEntry: it is another one, or the person has none.
    """
    try:
        authenticate(services, actor.username, present)
    except WrongCredentials as error:
        raise InvalidEntry([Problem("present", "This is not your present password.")]) from error


def reset_password(  # noqa: PLR0913 - whose, and what makes it happen once
    services: Services, actor: Actor, *, username: str, new: str, seed: bytes = b"", seen: str = ""
) -> None:
    """Set another person's password and end all of their browser sessions; they are told, by mail too.

    Who comes with the same seed and password again changes nothing, and tells nobody. `seen` is the mark of
    the password that is to be replaced, see `password_mark`; "" for any.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such person.
        InvalidEntry: the new password is too weak, the present one is not the one that was seen, or it is
            the actor's own: that takes the present one, or else a stolen session could do without.
    """
    require(actor, Action.GRANT)
    password_hash = _hash_of(new, username, seed)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        user_id = find_person(connection, username)
        if user_id == actor.user_id:
            raise InvalidEntry(
                [Problem("password", "Change your own one in the settings, with the present one.")]
            )
        present = connection.execute(
            select(col(User.password_hash)).where(col(User.id) == user_id).with_for_update(key_share=True)
        ).scalar_one()
        if present == password_hash:
            return
        if seen and _mark_of(present) != seen:
            raise InvalidEntry([Problem("password", _CHANGED_MEANWHILE)])
        _store(connection, user_id, password_hash)
        notify(
            connection,
            to={user_id},
            kind=NoticeKind.PASSWORD_RESET,
            facts={"by": actor.display_name},
            at=now,
            key=f"password-reset:{user_id}:{now.isoformat()}",
        )
        _record(connection, actor, username, now)

    transact(services.engine, work)


def password_mark(connection: Connection, username: str) -> str | None:
    """Tells whether somebody's password is still the same, and nothing else of it; None: they have none."""
    found = connection.execute(
        select(col(User.password_hash)).where(col(User.username) == username, is_person(col(User.id)))
    ).first()
    return None if found is None else _mark_of(found.password_hash)


def _mark_of(password_hash: str) -> str:
    """Nobody can guess with it: they would have to know the salt."""
    return hash_secret(password_hash)


def _hash_of(new: str, username: str, seed: bytes = b"") -> str:
    checks.require([checks.password_problem(new, username=username)])
    return hash_password(new, seed)


def _store(connection: Connection, user_id: UUID, password_hash: str, *, keep: str = "") -> None:
    connection.execute(update(User).where(col(User.id) == user_id).values(password_hash=password_hash))
    theirs = col(BrowserSession.user_id) == user_id
    connection.execute(delete(BrowserSession).where(theirs, col(BrowserSession.id_hash) != keep))


def _record(connection: Connection, actor: Actor, username: str, at: datetime) -> None:
    audit.record(connection, at=at, actor=actor, action="user.password_set", subject=username)
