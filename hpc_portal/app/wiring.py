"""Builds the engine and the services of web processes from settings."""

from sqlalchemy import Engine, make_url

from hpc_portal.app.clock import Clock, SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.wake import PostgresWake, SocketWake


def build_engine(settings: Settings) -> Engine:
    """The database engine that settings name."""
    return create_engine(settings.effective_database_url, pool_size=settings.database_pool_size)


def build_services(settings: Settings, *, clock: Clock | None = None) -> Services:
    """What a web process works with; close `commits` at the end."""
    engine = build_engine(settings)
    return Services(
        settings=settings,
        engine=engine,
        commits=GroupCommit(engine),
        wake=build_wake(settings, engine),
        clock=clock or SystemClock(),
    )


def build_wake(settings: Settings, engine: Engine) -> SocketWake | PostgresWake:
    """Wake-ups by the means that the database's processes share."""
    if make_url(settings.effective_database_url).get_backend_name() == "sqlite":
        return SocketWake(settings.state_dir / "wake.sock")
    return PostgresWake(engine)
