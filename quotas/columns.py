"""Column types that both databases store exactly, and how constraints of all tables are named."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, types
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Set here because every module of tables imports this one first: a migration can then drop by name."""

Vnd = BigInteger
"""A whole number of đồng."""

TresSeconds = BigInteger
"""An amount of a trackable resource times seconds."""

BigSerial = BigInteger().with_variant(Integer(), "sqlite")
"""A growing 64-bit key; SQLite autoincrements only a column spelled INTEGER."""


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware instant, stored as UTC. SQLite would silently return local times as naive ones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values: nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"{value!r} has no time zone"
            raise ValueError(message)
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Store the zone where the database can."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))


Uuid = types.Uuid[UUID]
"""A UUID: native on PostgreSQL, 32 hexadecimal digits on SQLite."""
