"""Tables of notices: what each person was told, and the mails that carry it to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class Notice(SQLModel, table=True):
    """One person was told one thing, once; its words are chosen when they read it, in their language."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_notice_list", "user_id", "id"),
        Index(
            "ix_notice_unread",
            "user_id",
            sqlite_where=text("read_at IS NULL"),
            postgresql_where=text("read_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    """UUIDv7: later notices have larger ids."""
    user_id: UUID = Field(foreign_key="user_account.id")
    key: str = Field(max_length=200)
    """What was done; the same key never tells a person twice."""
    kind: str = Field(max_length=60)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    at: datetime = Field(sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class NoticeChoice(SQLModel, table=True):
    """How a person wants to be told; who has no row gets mails."""

    __tablename__ = "notice_choice"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    mail: bool


class JobNotice(SQLModel, table=True):
    """What a job's owner still wants to be told; the row goes when there is nothing left to tell."""

    __tablename__ = "job_notice"

    job_id: UUID = Field(foreign_key="job.id", primary_key=True)
    at_begin: bool
    at_end: bool
    at_failure: bool


class Mail(SQLModel, table=True):
    """A mail to send: written in the transaction of the deed, sent by a controller afterwards."""

    __tablename__ = "mail"
    __table_args__ = (
        Index(
            "ix_mail_due",
            "not_before",
            sqlite_where=text("sent_at IS NULL AND given_up_at IS NULL"),
            postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    """Also its Message-ID: a mail that has to be sent again arrives as the same one."""
    key: str = Field(unique=True, max_length=260)
    user_id: UUID | None = Field(default=None, foreign_key="user_account.id", index=True)
    """None for people who have no account yet, such as those who are invited."""
    address: str = Field(max_length=254)
    locale: str = Field(max_length=5)
    kind: str = Field(max_length=60)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    not_before: datetime = Field(sa_type=UtcDateTime)
    """Back-off after a failure, and how long a claim lasts."""
    claim_token: UUID | None = None
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    given_up_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    problem: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why it was not sent, in the mail server's words."""
