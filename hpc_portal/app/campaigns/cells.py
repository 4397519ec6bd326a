"""The cells of a run: which task stands where in the matrix; kept, for a job's parameters never change."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.tables import Job
from hpc_portal.app.templates.find import template_of_job
from workloads.errors import WorkloadError
from workloads.template import CampaignCell

_MOST_KEPT = 16
_kept: OrderedDict[UUID, Sequence[CampaignCell]] = OrderedDict()
_lock = threading.Lock()


def cells_of(session: Session, job_id: UUID) -> Sequence[CampaignCell]:
    """Every task of the run in its order; [] when the job is older than this version of its template."""
    with _lock:
        if job_id in _kept:
            _kept.move_to_end(job_id)
            return _kept[job_id]
    statement = select(col(Job.template), col(Job.parameters)).where(col(Job.id) == job_id)
    row = session.connection().execute(statement).one()
    cells: Sequence[CampaignCell] = ()
    try:
        template = template_of_job(session.connection(), row.template or "")
        cells = template.campaign(template.validate(row.parameters or {}))
    except WorkloadError:
        return ()
    with _lock:
        _kept[job_id] = cells
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return cells
