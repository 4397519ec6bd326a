"""The append-only journal of job events, with a sequence that readers can resume from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, text

from hpc_portal.app.tables import JobEvent

_LOCK = 0x6A6F626576656E74
"""Key of the advisory lock, "jobevent" in ASCII."""


_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(:key)")
_INSERT = insert(JobEvent)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job."""

    job_id: UUID
    project_id: UUID
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


def take_turns(connection: Connection) -> None:
    """Wait for this transaction's turn to record events, which lasts until it ends.

    `record` does it by itself. A transaction that moves the money of several jobs and records events must
    do it before, and one that changes jobs must have locked them by then: jobs, turn, accounts. Otherwise one
    that has its turn and waits for an account or a job, and one that has that and waits for its turn, would
    stop each other until PostgreSQL ends one of them a second later (ADR 0069).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURNS, {"key": _LOCK})


def record(connection: Connection, events: Sequence[Event], *, at: datetime) -> None:
    """Append events; call it last in a transaction.

    Writers take turns until their commit, so that a sequence number becomes visible only after all smaller
    ones: a reader that remembers the last number it saw misses nothing. SQLite has one writer anyway.
    """
    if not events:
        return
    take_turns(connection)
    connection.execute(
        _INSERT,
        [
            {
                "job_id": event.job_id,
                "project_id": event.project_id,
                "kind": event.kind,
                "facts": event.facts,
                "at": at,
            }
            for event in events
        ],
    )
