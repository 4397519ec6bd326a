"""Change one's own e-mail address: proved anew who asks, and confirmed by whoever reads the new address."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Session, col

from hpc_portal.app import audit
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.change_settings import require_password
from hpc_portal.app.accounts.secret import hash_secret, new_secret
from hpc_portal.app.accounts.tables import EmailChange
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import queue_mail
from hpc_portal.app.public_address import base_url
from hpc_portal.app.services import Services
from hpc_portal.app.tables import BrowserSession, User
from workloads.template import N_

VALID_FOR = timedelta(days=1)
RECENT = timedelta(minutes=15)
"""Who has no password here has signed in at most so long ago."""
_BETWEEN_TWO = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that it is the person themselves, and not whoever sits at their browser."""

    password: str = ""
    session_id: str = ""
    """Of the browser that asks; counts for who has no password, while it is recent."""


@dataclass(frozen=True, slots=True)
class WaitingEmail:
    """An address that a link was mailed to."""

    email: str
    expires_at: datetime


def has_password(connection: Connection, actor: Actor) -> bool:
    """Whether the person signs in with a password of the portal's own."""
    kept = connection.execute(select(col(User.password_hash)).where(col(User.id) == actor.user_id)).scalar()
    return bool(kept)


def waiting_email(session: Session, actor: Actor, *, at: datetime) -> WaitingEmail | None:
    """The address that the person has not confirmed yet."""
    found = session.get(EmailChange, actor.user_id)
    return WaitingEmail(found.email, found.expires_at) if found and found.expires_at > at else None


def ask_for_email(services: Services, actor: Actor, email: str, proof: Proof) -> bool:
    """Mail a link to the new address; where the portal sends no mail, take the address at once.

    Returns whether it is taken already, which ends the person's other browser sessions. The newest wish
    counts, and its link is good for a day.

    Raises:
        InvalidEntry: the address or the proof is wrong, or a mail was sent a moment ago.
    """
    wanted = email.strip()
    checks.require([checks.email_problem(wanted)])
    _require_proof(services, actor, proof)
    now = services.clock.now()
    secret = new_secret()

    def work(connection: Connection) -> bool:
        present = _locked(connection, actor)
        if wanted == present:
            _forget(connection, actor)
            return True
        if services.settings.smtp is None:
            _store(connection, actor, wanted, was=present, at=now, keep=proof.session_id)
            return True
        _require_pause(connection, actor, now)
        _forget(connection, actor)
        row = {"user_id": actor.user_id, "email": wanted, "secret_hash": hash_secret(secret)}
        connection.execute(insert(EmailChange).values(**row, asked_at=now, expires_at=now + VALID_FOR))
        queue_mail(
            connection,
            address=wanted,
            locale=actor.locale,
            kind=NoticeKind.EMAIL_TO_CONFIRM,
            facts={
                "username": actor.username,
                "link": f"{base_url(services)}/settings/email/{secret}",
                "expires_at": (now + VALID_FOR).isoformat(),
            },
            at=now,
            key=f"email:{hash_secret(secret)}",
        )
        audit.record(
            connection, at=now, actor=actor, action="user.email_asked", subject=actor.username, email=wanted
        )
        return False

    return transact(services.engine, work)


def confirm_email(services: Services, actor: Actor, secret: str, *, keep: str = "") -> str:
    """Take the address whose link the person opened, and tell the one before; returns it.

    It ends all of the person's browser sessions, but that of the id `keep`.

    Raises:
        NotFound: the link is none of this person's, was used, or is over.
    """
    now = services.clock.now()

    def work(connection: Connection) -> str:
        present = _locked(connection, actor)
        email: str | None = connection.execute(
            select(col(EmailChange.email)).where(
                col(EmailChange.user_id) == actor.user_id,
                col(EmailChange.secret_hash) == hash_secret(secret),
                col(EmailChange.expires_at) > now,
            )
        ).scalar()
        if email is None:
            raise NotFound("link", "")
        _forget(connection, actor)
        _store(connection, actor, email, was=present, at=now, keep=keep)
        return email

    return transact(services.engine, work)


def _require_proof(services: Services, actor: Actor, proof: Proof) -> None:
    with services.engine.connect() as connection:
        if not has_password(connection, actor):
            begun: datetime | None = connection.execute(
                select(col(BrowserSession.created_at)).where(
                    col(BrowserSession.id_hash) == proof.session_id,
                    col(BrowserSession.user_id) == actor.user_id,
                )
            ).scalar()
            if begun is None or services.clock.now() - begun > RECENT:
                text = N_("Sign in anew first: it must not be longer ago than %(minutes)s minutes.")
                minutes = int(RECENT.total_seconds()) // 60
                raise InvalidEntry([Problem("present", text, {"minutes": minutes})])
            return
    require_password(services, actor, proof.password)


def _locked(connection: Connection, actor: Actor) -> str:
    """The present address; two wishes of one person come one after the other."""
    mine = select(col(User.email)).where(col(User.id) == actor.user_id).with_for_update()
    return str(connection.execute(mine).scalar_one())


def _require_pause(connection: Connection, actor: Actor, now: datetime) -> None:
    asked: datetime | None = connection.execute(
        select(col(EmailChange.asked_at)).where(col(EmailChange.user_id) == actor.user_id)
    ).scalar()
    if asked is not None and now - asked < _BETWEEN_TWO:
        text = N_("A mail was sent a moment ago. Wait two minutes before the next one.")
        raise InvalidEntry([Problem("email", text)])


def _forget(connection: Connection, actor: Actor) -> None:
    connection.execute(delete(EmailChange).where(col(EmailChange.user_id) == actor.user_id))


def _store(  # noqa: PLR0913 - the facts of one change
    connection: Connection, actor: Actor, email: str, *, was: str, at: datetime, keep: str
) -> None:
    mine = col(BrowserSession.user_id) == actor.user_id
    connection.execute(update(User).where(col(User.id) == actor.user_id).values(email=email))
    connection.execute(delete(BrowserSession).where(mine, col(BrowserSession.id_hash) != keep))
    audit.record(
        connection,
        at=at,
        actor=actor,
        action="user.email_changed",
        subject=actor.username,
        email=email,
        was={"email": was},
    )
    if was:
        queue_mail(
            connection,
            address=was,
            locale=actor.locale,
            kind=NoticeKind.EMAIL_CHANGED,
            facts={"username": actor.username, "email": email},
            at=at,
            key=f"email-was:{actor.user_id}:{at.isoformat()}",
            user_id=actor.user_id,
        )
