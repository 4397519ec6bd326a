"""Whether a process can do its work: the database answers and has the schema, the workspaces are there."""

from dataclasses import dataclass

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hpc_portal.app.schema import MIGRATIONS
from hpc_portal.app.settings import Settings

OK = "ok"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was looked at, each with `ok` or what is wrong with it, in words that name nobody's secret."""

    checks: dict[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether all is well."""
        return all(said == OK for said in self.checks.values())


class ReadinessCheck:
    """Looks each time it is asked; knows its own migrations."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._workspaces = settings.workspace_root
        """Where the site named one, it is a mount that can be missing; the default is made when needed."""
        script = ScriptDirectory(str(MIGRATIONS))
        self._head = script.get_current_head()
        self._older = {revision.revision for revision in script.walk_revisions()} - {self._head}

    def look(self) -> Readiness:
        """Ask the database and the file system; waits as long as they do."""
        try:
            with self._engine.connect() as connection:
                schema = self._schema(connection)
            database = OK
        except SQLAlchemyError:
            database, schema = "does not answer", "unknown"
        is_there = self._workspaces is None or self._workspaces.is_dir()
        workspaces = OK if is_there else "the folder is not there"
        return Readiness({"database": database, "schema": schema, "workspaces": workspaces})

    def _schema(self, connection: Connection) -> str:
        """One that is newer than this process is fine: migrations only add what older ones can live with."""
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is None or revision in self._older:
            return "must be upgraded: hpc-portal db upgrade"
        return OK
