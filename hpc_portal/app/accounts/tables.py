"""Tables of sign-in: identities of a provider, sign-ins under way, second factors, failures."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class ExternalIdentity(SQLModel, table=True):
    """Which person here a person of an identity provider is; a subject is never given to anybody else."""

    __tablename__ = "external_identity"

    issuer: str = Field(primary_key=True, max_length=255)
    subject: str = Field(primary_key=True, max_length=255)
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    linked_at: datetime = Field(sa_type=UtcDateTime)
    last_sign_in_at: datetime = Field(sa_type=UtcDateTime)


class PendingSignIn(SQLModel, table=True):
    """A sign-in that goes on elsewhere: at the provider, or with a code. Only its browser has the secret."""

    __tablename__ = "pending_sign_in"

    secret_hash: str = Field(primary_key=True, max_length=64)
    user_id: UUID | None = Field(default=None, foreign_key="user_account.id")
    """Who waits for a code, or whose account is to be linked; None: whoever the provider says."""
    facts: dict[str, Any] = Field(sa_type=JSON)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class SecondFactor(SQLModel, table=True):
    """A person's one-time codes (RFC 6238)."""

    __tablename__ = "second_factor"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    secret: str = Field(max_length=64)
    """Base 32, as authenticator apps take it."""
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None: the person has not shown yet that their app knows it; it is not asked for."""
    last_step: int = Field(default=0, sa_type=BigInteger)
    """The period of the last code that was taken: none is taken twice."""
    recovery_hashes: list[str] = Field(default_factory=list, sa_type=JSON)
    """SHA-256 of the codes on paper that are left."""


class SignInFailures(SQLModel, table=True):
    """How often somebody guessed wrong of late: in the database, so that all web processes count together."""

    __tablename__ = "sign_in_failures"

    key: str = Field(primary_key=True, max_length=64)
    """SHA-256 of what is counted: people type passwords into the field of their name."""
    failures: int
    last_at: datetime = Field(sa_type=UtcDateTime, index=True)


class KnownBrowser(SQLModel, table=True):
    """A browser in which a person signed in before: nobody else's failures keep them out of it."""

    __tablename__ = "known_browser"

    secret_hash: str = Field(primary_key=True, max_length=64)
    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True, index=True)
    last_used_at: datetime = Field(sa_type=UtcDateTime)


class EmailChange(SQLModel, table=True):
    """A new e-mail address that its reader has not confirmed yet; the newest wish of each person."""

    __tablename__ = "email_change"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    email: str = Field(max_length=254)
    secret_hash: str = Field(max_length=64)
    """Of the link that was mailed there."""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
