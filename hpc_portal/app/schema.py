"""Brings a database to the newest schema; the migrations travel inside the package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.settings import Settings
from quotas.rebuild_usage import fold_unfolded

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(settings: Settings) -> None:
    """Create or upgrade the database; makes the state folder when there is none.

    Records that are older than the roll-ups are folded into them.

    Raises:
        OperationalError: the database cannot be reached or written.
    """
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = settings.effective_database_url
    file = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and file:
        settings.state_dir.chmod(0o711)  # jobs pass through it to their workspaces
        Path(file).touch(mode=0o600)
    command.upgrade(alembic_config(url), "head")
    engine = create_engine(url)
    try:
        transact(engine, fold_unfolded)
    finally:
        engine.dispose()
