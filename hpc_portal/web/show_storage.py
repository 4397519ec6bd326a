"""A project's storage in the words of its pages: how full it is, and how old the figure is."""

from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.requests.shortage import Shortage
from hpc_portal.app.storage.queries import StorageNow
from hpc_portal.web.language import Language
from quotas.amounts import BYTES_PER_GIB, STORAGE


@dataclass(frozen=True, slots=True)
class ShownStorage:
    """As `tenants/storage.html` shows it."""

    used: str
    granted: str
    """"" where nothing limits it."""
    left: str
    percent: int
    is_full: bool
    entries: int
    unreadable: int
    measured_at: datetime | None
    is_waiting: bool
    may_measure: bool
    ask_page: str
    """The page of the portal with a request for more filled in; "" where more is not needed."""


def show_storage(account: str, found: StorageNow, language: Language) -> ShownStorage:
    """In the words of the reader."""
    now = found.standing
    granted_bytes = (now.granted_gib or 0) * BYTES_PER_GIB
    is_short = now.percent >= 80  # noqa: PLR2004 - per cent, as notices have it
    shortage = Shortage(account, {STORAGE: now.missing_gib})
    return ShownStorage(
        used=language.gib(now.allocated_bytes),
        granted="" if now.granted_gib is None else language.gib(granted_bytes),
        left="" if now.granted_gib is None else language.gib(max(granted_bytes - now.allocated_bytes, 0)),
        percent=now.percent,
        is_full=now.is_full,
        entries=now.entries,
        unreadable=now.unreadable,
        measured_at=now.measured_at,
        is_waiting=now.is_waiting,
        may_measure=found.may_measure,
        ask_page=shortage.page if is_short and found.may_ask else "",
    )
