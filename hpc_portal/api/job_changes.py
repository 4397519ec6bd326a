"""Change jobs under way: hold, release, requeue, walltime, priority, single tasks of an array."""

from http import HTTPStatus
from typing import assert_never
from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.job_change_schemas import (
    CancelTasksBody,
    ChangeBody,
    ChangeReply,
    ChangesBody,
    ChangesReply,
    HoldBody,
    LeftOutReply,
    NiceBody,
    RecordedChangeReply,
    ReleaseBody,
    RequeueBody,
    WalltimeBody,
)
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.jobs import journal
from hpc_portal.app.jobs.change import request_change, request_one_change
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers import protocol

router = APIRouter(tags=["jobs"])


@router.post("/jobs/changes", status_code=HTTPStatus.ACCEPTED)
def change_several(services: PortalServices, actor: CurrentActor, body: ChangesBody) -> ChangesReply:
    """Ask for the same change of several jobs. Those that cannot be changed so are left out."""
    recorded = request_change(services, actor, body.job_ids, _change(body.change))
    return ChangesReply(
        changes=[
            RecordedChangeReply(job_id=job_id, id=number) for job_id, number in recorded.changes.items()
        ],
        left_out=[
            LeftOutReply(job_id=left.job_id, problem=left.problem.message) for left in recorded.left_out
        ],
    )


@router.post("/jobs/{job_id}/changes", status_code=HTTPStatus.ACCEPTED)
def change(services: PortalServices, actor: CurrentActor, job_id: UUID, body: ChangeBody) -> ChangeReply:
    """Ask for a change of a job under way. The list of changes tells what the scheduler said to it."""
    number = request_one_change(services, actor, job_id, _change(body))
    with services.reading() as session:
        found = journal.list_changes(session, actor, job_id)
    return next(_reply(record) for record in found if record.sequence == number)


@router.get("/jobs/{job_id}/changes")
def list_changes(services: PortalServices, actor: CurrentActor, job_id: UUID) -> ListReply[ChangeReply]:
    """The last hundred changes asked for, newest first."""
    with services.reading() as session:
        found = journal.list_changes(session, actor, job_id)
    return ListReply(items=[_reply(record) for record in found])


def _change(body: ChangeBody) -> protocol.JobChange:
    match body:
        case HoldBody():
            return protocol.HoldJob()
        case ReleaseBody():
            return protocol.ReleaseJob()
        case RequeueBody():
            return protocol.RequeueJob()
        case WalltimeBody():
            return protocol.SetWalltime(body.walltime_seconds)
        case NiceBody():
            return protocol.SetNice(body.nice)
        case CancelTasksBody():
            return protocol.CancelTasks(body.tasks)
    assert_never(body)


def _reply(record: journal.ChangeRecord) -> ChangeReply:
    return ChangeReply(
        id=record.sequence,
        job_id=record.job_id,
        change=record.kind,
        facts=record.facts,
        requested_by=record.requested_by,
        requested_at=record.requested_at,
        state=record.state,
        decided_at=record.decided_at,
        refusal=record.refusal,
    )
