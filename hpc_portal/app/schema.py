"""Brings a database to the newest schema; the migrations travel inside the package."""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from hpc_portal.app.accounting.fold_old_peaks import fold_old_peaks
from hpc_portal.app.db import create_engine, is_retriable, transact
from hpc_portal.app.settings import Settings
from quotas.rebuild_usage import fold_unfolded

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT = timedelta(seconds=3)
"""A page that waits as long behind a migration is slow; one that waits for half a minute is an outage."""


class TablesInUse(Exception):
    """A migration did not get the lock of a table in time, because a long transaction holds it."""

    def __init__(self) -> None:
        super().__init__("A table is in use by a long transaction: the upgrade gave up and changed nothing.")


def alembic_config(url: str, *, lock_wait: timedelta = LOCK_WAIT) -> Config:
    """Alembic's configuration for a database; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    config.attributes["lock_wait"] = lock_wait
    return config


def upgrade(settings: Settings, *, lock_wait: timedelta = LOCK_WAIT) -> None:
    """Create or upgrade the database; makes the state folder when there is none.

    Records that are older than the roll-ups, or than a measure of theirs, are folded into them.

    Raises:
        TablesInUse: others did not let go of a table within `lock_wait` (PostgreSQL); nothing was changed.
        OperationalError: the database cannot be reached or written.
    """
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = settings.effective_database_url
    file = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and file:
        settings.state_dir.chmod(0o711)  # jobs pass through it to their workspaces
        Path(file).touch(mode=0o600)
    try:
        command.upgrade(alembic_config(url, lock_wait=lock_wait), "head")
    except OperationalError as error:
        if is_retriable(error):
            raise TablesInUse from error
        raise
    engine = create_engine(url)
    try:
        transact(engine, fold_unfolded)
        while transact(engine, fold_old_peaks):
            pass
    finally:
        engine.dispose()
