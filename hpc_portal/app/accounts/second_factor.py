"""One-time codes beside a password (TOTP, RFC 6238): set up, confirmed, asked for at sign-in, given up.

A period's code works once. Ten codes on paper stand in for a lost phone, each once.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.secret import SEED_BYTES, hash_secret
from hpc_portal.app.accounts.tables import SecondFactor
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import WrongCode
from hpc_portal.app.services import Services

ISSUER = "HPC Đà Nẵng"
_STEP_SECONDS = 30
_STEPS_APART = 1
"""Clocks of phones are half a minute off now and then."""
_RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class Offered:
    """What an authenticator app has to know; shown until it is confirmed."""

    secret: str
    uri: str
    """otpauth://, for a QR code."""


def has_second_factor(connection: Connection, user_id: UUID) -> bool:
    """Whether a code is asked for when this person signs in with their password."""
    found = select(col(SecondFactor.confirmed_at)).where(col(SecondFactor.user_id) == user_id)
    return connection.execute(found).scalar() is not None


def offer_second_factor(services: Services, actor: Actor) -> Offered:
    """A new secret that does nothing until it is confirmed; one that is in force stays so.

    Raises:
        WrongCode: the actor has one in force: they give that up first.
    """
    secret = pyotp.random_base32()

    def work(connection: Connection) -> None:
        if has_second_factor(connection, actor.user_id):
            raise WrongCode
        connection.execute(delete(SecondFactor).where(col(SecondFactor.user_id) == actor.user_id))
        values = {"user_id": actor.user_id, "secret": secret, "last_step": 0, "recovery_hashes": []}
        connection.execute(insert(SecondFactor).values(values))

    transact(services.engine, work)
    uri = pyotp.TOTP(secret).provisioning_uri(name=actor.username, issuer_name=ISSUER)
    return Offered(secret, uri)


def confirm_second_factor(services: Services, actor: Actor, code: str, *, seed: bytes = b"") -> list[str]:
    """From now on codes are asked for; returns those for paper, which exist nowhere else.

    Who comes with the seed of a form again is told the same ones, as long as none was used.

    Raises:
        WrongCode: the app does not know the secret, or none was offered; nothing changed.
    """
    now = services.clock.now()
    papers = _papers(seed or secrets.token_bytes(SEED_BYTES))
    hashes = [hash_secret(paper) for paper in papers]

    def work(connection: Connection) -> None:
        kept = _kept(connection, actor.user_id)
        if kept and kept.confirmed_at and kept.recovery_hashes == hashes:
            return
        if kept is None or kept.confirmed_at is not None:
            raise WrongCode
        step = _step_of(kept, code, now)
        if step is None:
            raise WrongCode
        connection.execute(
            update(SecondFactor)
            .where(col(SecondFactor.user_id) == actor.user_id)
            .values(confirmed_at=now, last_step=step, recovery_hashes=hashes)
        )
        audit.record(
            connection, at=now, actor=actor, action="second_factor.confirmed", subject=actor.username
        )

    transact(services.engine, work)
    return papers


def _papers(seed: bytes) -> list[str]:
    made = (hmac.digest(seed, bytes([number]), "sha256").hex() for number in range(_RECOVERY_CODES))
    return [f"{one[:6]}-{one[6:12]}" for one in made]


def use_code(services: Services, user_id: UUID, code: str) -> None:
    """Let pass who shows a good code, of the app or from paper; it is used up then.

    Raises:
        WrongCode: it is not.
    """
    now = services.clock.now()
    transact(services.engine, lambda connection: _use(connection, user_id, code, now))


def drop_second_factor(services: Services, actor: Actor, code: str) -> None:
    """Give it up, with a good code.

    Raises:
        WrongCode: it is not; the second factor stays.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        _use(connection, actor.user_id, code, now)
        connection.execute(delete(SecondFactor).where(col(SecondFactor.user_id) == actor.user_id))
        audit.record(connection, at=now, actor=actor, action="second_factor.ended", subject=actor.username)

    transact(services.engine, work)


def _use(connection: Connection, user_id: UUID, code: str, now: datetime) -> None:
    kept = _kept(connection, user_id)
    if kept is None or kept.confirmed_at is None:
        raise WrongCode
    is_it = col(SecondFactor.user_id) == user_id
    step = _step_of(kept, code, now)
    if step is not None:
        connection.execute(update(SecondFactor).where(is_it).values(last_step=step))
        return
    hashed = hash_secret(code.strip().lower())
    if hashed not in kept.recovery_hashes:
        raise WrongCode
    left = [one for one in kept.recovery_hashes if one != hashed]
    connection.execute(update(SecondFactor).where(is_it).values(recovery_hashes=left))


def _kept(connection: Connection, user_id: UUID) -> AnyRow | None:
    """Locked, so that two requests at once cannot use one code."""
    found = select(
        col(SecondFactor.secret),
        col(SecondFactor.confirmed_at),
        col(SecondFactor.last_step),
        col(SecondFactor.recovery_hashes),
    ).where(col(SecondFactor.user_id) == user_id)
    return connection.execute(found.with_for_update()).first()


def _step_of(kept: AnyRow, code: str, now: datetime) -> int | None:
    """The period whose code this is, unless it or a later one was used."""
    digits = "".join(code.split())
    present = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(kept.secret)
    for step in range(present - _STEPS_APART, present + _STEPS_APART + 1):
        if step > kept.last_step and pyotp.utils.strings_equal(totp.generate_otp(step), digits):
            return step
    return None
