"""What the audit log looks like over HTTP."""

from datetime import datetime
from typing import Any

from hpc_portal.api.schemas import Reply


class AuditReply(Reply):
    """Who did what, when, from where; no username means the operator on the machine."""

    sequence: int
    at: datetime
    username: str | None
    address: str
    action: str
    subject: str
    facts: dict[str, Any]
    """`was` is how it was before."""
    previous_hash: str
    hash: str
    """SHA-256 over `previous_hash` and the rest: each record seals the one before."""
