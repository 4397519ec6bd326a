"""How a record of the audit log seals the one before it; pure, and frozen: stored hashes depend on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

BEFORE_THE_FIRST = "0" * 64
"""What the first record seals."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a record says."""

    sequence: int
    at: datetime
    actor_id: UUID | None
    address: str
    action: str
    subject: str
    facts: Mapping[str, Any]
    """JSON: what `plain` makes of the caller's facts."""


def plain(facts: Mapping[str, object]) -> dict[str, Any]:
    """Facts as any database gives them back: JSON's own types only.

    Raises:
        TypeError: something in them cannot be written as JSON.
    """
    found: dict[str, Any] = json.loads(json.dumps(facts))
    return found


def seal(previous_hash: str, deed: Deed) -> str:
    """SHA-256, in hex, over the hash before and the canonical JSON of the deed (sorted keys, UTF-8)."""
    said = [
        previous_hash,
        deed.sequence,
        deed.at.astimezone(UTC).isoformat(timespec="microseconds"),
        str(deed.actor_id) if deed.actor_id else "",
        deed.address,
        deed.action,
        deed.subject,
        deed.facts,
    ]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
