"""What every verb of a web process works with; built by wiring.py, passed in, never global."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import writing
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.settings import Settings
from hpc_portal.app.wake import WakeSender


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the time, the settings and the way to wake a controller."""

    settings: Settings
    engine: Engine
    commits: GroupCommit
    wake: WakeSender
    clock: Clock

    def reading(self) -> Session:
        """A session that only reads; use as a context manager."""
        return Session(self.engine)

    def writing(self) -> Session:
        """A session whose transaction may write; commit it yourself."""
        return Session(writing(self.engine))
