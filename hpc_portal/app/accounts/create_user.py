"""Create a person who can sign in."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, text
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.authenticate import hash_password
from hpc_portal.app.accounts.first_place import PlaceInOrganisation, give_place, record_place
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, User

_LOCK = 0x75736572
"""Key of the advisory lock, "user" in ASCII: cluster numbers are given out one after another."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be."""

    username: str
    display_name: str
    password: str = field(repr=False)
    email: str = ""
    global_role: GlobalRole | None = None
    cluster_user: str = ""
    """The account that jobs run as; "" takes the user name."""
    locale: str = "vi"

    @property
    def effective_cluster_user(self) -> str:
        """The account that jobs run as, with the default filled in."""
        return self.cluster_user or re.sub(r"[^a-z0-9_-]", "_", self.username)[:32]


def create_user(
    services: Services,
    actor: Actor,
    new: NewUser,
    *,
    place: PlaceInOrganisation | None = None,
    seed: bytes = b"",
) -> UUID:
    """Returns the person's id; without a place they belong to no organisation yet.

    Who comes with the same seed and password again is told the same, and creates nobody.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: with every field that is wrong; or there is no such organisation.
        NameTaken: the user name or the cluster account is in use.
    """
    permissions.require(actor, Action.GRANT)
    require_sensible(new)
    password_hash = hash_password(new.password, seed)
    now = services.clock.now()

    def work(connection: Connection) -> UUID:
        try:
            user_id = insert_user(connection, new, password_hash=password_hash, at=now)
        except NameTaken:
            if made := _made_before(connection, new.username, password_hash):
                return made
            raise
        if place:
            give_place(connection, place, user_id)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="user.created",
            subject=new.username,
            global_role=new.global_role and new.global_role.value,
            cluster_user=new.effective_cluster_user,
        )
        if place:
            record_place(connection, actor, place, username=new.username, at=now)
        return user_id

    return transact(services.engine, work)


def require_sensible(new: NewUser) -> None:
    """Let pass what could be a person.

    Raises:
        InvalidEntry: with every field that is wrong.
    """
    bad_name = checks.username_problem(new.username)
    is_account_said = bool(new.cluster_user) or bad_name is None
    checks.require(
        [
            bad_name,
            checks.title_problem("display_name", new.display_name),
            checks.password_problem(new.password, username=new.username),
            checks.cluster_user_problem(new.effective_cluster_user) if is_account_said else None,
            checks.email_problem(new.email) if new.email else None,
        ]
    )


def insert_user(connection: Connection, new: NewUser, *, password_hash: str, at: datetime) -> UUID:
    """Store a person who makes sense, with the next number; returns their id.

    Raises:
        NameTaken: the user name or the cluster account is in use.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for column, kind, name in (
        (col(User.username), "user", new.username),
        (col(User.cluster_user), "cluster account", new.effective_cluster_user),
    ):
        if connection.execute(select(col(User.id)).where(column == name)).first():
            raise NameTaken(kind, name)
    highest = connection.execute(select(func.coalesce(func.max(col(User.cluster_number)), 0))).scalar_one()
    user_id = new_id()
    connection.execute(
        insert(User).values(
            id=user_id,
            username=new.username,
            display_name=new.display_name.strip(),
            email=new.email,
            password_hash=password_hash,
            global_role=new.global_role,
            cluster_user=new.effective_cluster_user,
            cluster_number=highest + 1,
            locale=new.locale,
            theme="auto",
            is_active=True,
            created_at=at,
        )
    )
    return user_id


def _made_before(connection: Connection, username: str, password_hash: str) -> UUID | None:
    """Whom the same form made: nobody else has a password with its salt."""
    found: UUID | None = connection.execute(
        select(col(User.id)).where(col(User.username) == username, col(User.password_hash) == password_hash)
    ).scalar()
    return found
