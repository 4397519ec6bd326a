"""Which jobs are under way: the one condition by which a database finds them through their own index."""

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job

_PHASES = (Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED)


def under_way() -> ColumnElement[bool]:
    """A WHERE clause: jobs of which something runs or will run.

    In literals as in `ix_job_under_way`, which holds only these: SQLite uses such an index for no parameters,
    and a prepared statement of PostgreSQL may not either.
    """
    return col(Job.phase).in_(bindparam("under_way", _PHASES, expanding=True, literal_execute=True))
