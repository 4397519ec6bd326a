"""What a project's storage looks like over HTTP."""

from datetime import date, datetime

from hpc_portal.api.schemas import Reply


class StorageDayReply(Reply):
    """One day's sample."""

    day: date
    allocated_bytes: int


class StorageReply(Reply):
    """What a project may have in its workspace, and what was measured there."""

    granted_gib: int | None
    """By allocations in force together; null: none ever granted storage, so that nothing limits it."""
    allocated_bytes: int
    """Blocks that the file system gave; a file with several names counts once."""
    percent: int
    """Of what is granted."""
    is_full: bool
    """No job can be submitted until there is room."""
    entries: int
    unreadable: int
    """Folders into which the portal could not look: what is in them is not counted."""
    measured_at: datetime | None
    is_waiting: bool
    """Somebody asked for a new figure, which is not there yet."""
    days: list[StorageDayReply]
    """Samples of the last 31 days."""
