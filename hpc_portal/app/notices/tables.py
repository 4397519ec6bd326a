"""Tables of notices: what each person was told, and the mails that carry it to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Boolean, Column, Index, Text, UniqueConstraint, text
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
    on_page: bool = Field(
        default=True, sa_column=Column(Boolean, nullable=False, server_default=text("true"))
    )
    """False: its reader did not want to see it here; the row still keeps them from being told twice."""


class NoticeChoice(SQLModel, table=True):
    """Whether a person wants mails where they chose nothing for a group; who has no row wants them."""

    __tablename__ = "notice_choice"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    mail: bool


class NoticeGroupChoice(SQLModel, table=True):
    """How a person wants to be told of one group of notices."""

    __tablename__ = "notice_group_choice"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    notice_group: str = Field(primary_key=True, max_length=40)
    on_page: bool
    by_mail: str = Field(max_length=10)
    by_webhook: bool


class DigestItem(SQLModel, table=True):
    """A notice that waits for the one mail of the day; the row goes into that mail."""

    __tablename__ = "digest_item"
    __table_args__ = (Index("ix_digest_item_due", "due_at", "user_id"),)

    id: UUID = Field(primary_key=True)
    """The notice's."""
    user_id: UUID = Field(foreign_key="user_account.id", index=True)
    kind: str = Field(max_length=60)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)


class JobNotice(SQLModel, table=True):
    """What a job's owner still wants to be told; the row goes when there is nothing left to tell."""

    __tablename__ = "job_notice"

    job_id: UUID = Field(foreign_key="job.id", primary_key=True)
    at_begin: bool
    at_end: bool
    at_failure: bool
    near_end: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    near_end_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When to look whether it is near its time limit; None before it has started."""
    as_campaign: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    """Its end is told as the end of a campaign's run."""


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


class Webhook(SQLModel, table=True):
    """Where a person's notices are posted to."""

    __tablename__ = "webhook"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    url: str = Field(max_length=500)
    secret: str = Field(max_length=80)
    """Signs what is sent: it has to be readable here."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    failures: int = 0
    """Tries in a row that came to nothing."""
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebhookDelivery(SQLModel, table=True):
    """A notice to post: written in the transaction of the deed, sent by a controller afterwards."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_webhook_delivery_list", "user_id", "id"),
        Index(
            "ix_webhook_delivery_due",
            "not_before",
            sqlite_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    """Its receiver is told: what comes twice is known by it."""
    user_id: UUID = Field(foreign_key="user_account.id")
    key: str = Field(max_length=200)
    kind: str = Field(max_length=60)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    locale: str = Field(max_length=5)
    created_at: datetime = Field(sa_type=UtcDateTime)
    not_before: datetime = Field(sa_type=UtcDateTime)
    """Back-off after a failure, and how long a claim lasts."""
    claim_token: UUID | None = None
    attempts: int = 0
    status: int | None = None
    """What the receiver last answered; None: nothing."""
    problem: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    given_up_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
