"""End a class, by itself at term end or before: its projects close, and the rest is the course's again."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app import audit, events
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import ClassEnded
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import leads
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.change_class import lock_class
from hpc_portal.app.tenants.change_state import JobsThen
from hpc_portal.app.tenants.close_seat import close_seat
from hpc_portal.app.tenants.place import Place
from hpc_portal.app.tenants.tables import ClassPool, ClassSeat
from quotas.amounts import Asset


@dataclass(frozen=True, slots=True)
class ClassOver:
    """What ending it did."""

    is_new: bool
    """False when it was over already."""
    returned: Mapping[Asset, int]
    """What went back to the course at once."""
    jobs_cancelled: int


def end_class(
    services: Services, actor: Actor, class_id: UUID, *, jobs: JobsThen = JobsThen.KEEP
) -> ClassOver:
    """End it now, for good. What runs goes on unless `jobs` says otherwise, and its rest comes back later.

    Raises:
        NotFound: there is no such class, or none that the actor may see.
        NotAllowed: the actor may not split the course's budget.
    """
    now = services.clock.now()

    def work(connection: Connection) -> ClassOver:
        events.take_turns(connection)
        try:
            pool, course = lock_class(connection, actor, class_id)
        except ClassEnded:
            return ClassOver(is_new=False, returned={}, jobs_cancelled=0)
        return _end(connection, actor, class_id, pool.name, course, jobs=jobs, at=now)

    over = transact(services.engine, work)
    services.wake.notify()
    return over


def end_due_classes(connection: Connection, *, at: datetime) -> bool:
    """End the class whose time came first; what runs in it goes on. True when there may be more.

    One in a transaction: hundreds of projects close with it, and nobody else appends to the audit log then.
    """
    class_id = connection.scalars(
        select(col(ClassPool.id))
        .where(col(ClassPool.ended_at).is_(None), col(ClassPool.ends_at) <= at)
        .order_by(col(ClassPool.ends_at), col(ClassPool.id))
        .limit(1)
    ).first()
    if class_id is None:
        return False
    events.take_turns(connection)
    with contextlib.suppress(ClassEnded):  # by somebody else, since it was found
        pool, course = lock_class(connection, OPERATOR, class_id)
        _end(connection, OPERATOR, class_id, pool.name, course, jobs=JobsThen.KEEP, at=at)
    return True


def _end(  # noqa: PLR0913 - what becomes of one class
    connection: Connection,
    actor: Actor,
    class_id: UUID,
    name: str,
    course: Place,
    *,
    jobs: JobsThen,
    at: datetime,
) -> ClassOver:
    seats = connection.execute(
        select(col(ClassSeat.project_id), col(ClassSeat.allocation_id))
        .where(col(ClassSeat.pool_id) == class_id)
        .order_by(col(ClassSeat.project_id))
    ).all()
    returned: dict[Asset, int] = {}
    cancelled = 0
    for seat in seats:
        closed = close_seat(
            connection, seat, actor=actor, reason=f"the class {name} is over", jobs=jobs, at=at
        )
        if closed is None:
            continue
        cancelled += closed.jobs_cancelled
        for asset, amount in closed.returned.items():
            returned[asset] = returned.get(asset, 0) + amount
    connection.execute(update(ClassPool).where(col(ClassPool.id) == class_id).values(ended_at=at))
    assert course.project_id  # noqa: S101 - a course is a project
    notify(
        connection,
        to=leads(connection, course.project_id) - {actor.user_id},
        kind=NoticeKind.CLASS_ENDED,
        facts={
            "class_id": str(class_id),
            "class_name": name,
            "project": course.account,
            "lines": dict(returned),
        },
        at=at,
        key=f"class-ended:{class_id}",
    )
    audit.record(
        connection,
        at=at,
        actor=actor,
        action="class.ended",
        subject=course.account,
        class_id=str(class_id),
        name=name,
        students=len(seats),
        returned=returned,
        jobs_cancelled=cancelled,
    )
    return ClassOver(is_new=True, returned=returned, jobs_cancelled=cancelled)
