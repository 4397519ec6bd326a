"""Check a password: argon2, equally slow for people who do not exist."""

import hashlib
import threading
from functools import cache
from uuid import UUID

from pwdlib import PasswordHash
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.errors import WrongCredentials
from hpc_portal.app.services import Services
from hpc_portal.app.tables import User

_PASSWORDS = PasswordHash.recommended()
_SALT_BYTES = 16
_AT_ONCE = threading.BoundedSemaphore(4)
"""Each check takes tens of megabytes and milliseconds of CPU: a flood of sign-ins must queue."""


def hash_password(password: str, seed: bytes = b"") -> str:
    """An argon2id hash with pwdlib's recommended cost; of the same seed and password the same one."""
    salt = hashlib.sha256(b"salt" + seed).digest()[:_SALT_BYTES] if seed else None
    return _PASSWORDS.hash(password, salt=salt)


def authenticate(services: Services, username: str, password: str) -> UUID:
    """The id of the active person with this name and password; upgrades a hash of an older cost.

    A person without a stored password cannot sign in with any.
    Takes as long for unknown names as for known ones. Call it from a thread: it computes for 50 ms or so.

    Raises:
        WrongCredentials: either is wrong, or the person is not active.
    """
    with services.engine.connect() as connection:
        found = connection.execute(
            select(col(User.id), col(User.password_hash), col(User.is_active)).where(
                col(User.username) == username
            )
        ).first()
    kept = found.password_hash if found else ""
    with _AT_ONCE:
        is_right, upgraded = _PASSWORDS.verify_and_update(password, kept or _hash_of_nobody())
    if found is None or not kept or not is_right or not found.is_active:
        raise WrongCredentials
    user_id: UUID = found.id
    if upgraded:
        new_hash = upgraded

        def store(connection: Connection) -> None:
            connection.execute(
                update(User)
                .where(col(User.id) == user_id, col(User.password_hash) == kept)
                .values(password_hash=new_hash)
            )

        transact(services.engine, store)
    return user_id


@cache
def _hash_of_nobody() -> str:
    return _PASSWORDS.hash("nobody has this password")
