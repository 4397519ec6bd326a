"""Change a class while it goes on: more students, more or less for one of them, one who leaves."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import audit, events, paying_projects, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import ClassEnded, NotFound, TenantClosed
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.change_state import JobsThen
from hpc_portal.app.tenants.class_queries import sees_classes
from hpc_portal.app.tenants.close_seat import close_seat
from hpc_portal.app.tenants.invite import require_few
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from hpc_portal.app.tenants.place import Place, load_place
from hpc_portal.app.tenants.seats import Room, SeatMade, Share, list_students, make_seats
from hpc_portal.app.tenants.tables import ClassPool, ClassSeat
from quotas import move_budget, resize_part
from quotas.amounts import Asset
from quotas.tables import Project, TenantState


def add_students(
    services: Services, actor: Actor, class_id: UUID, shares: Sequence[Share], each: Mapping[Asset, int]
) -> list[SeatMade]:
    """Seats for students who came later; those who have one are left as they are.

    Raises:
        NotFound: there is no such class, or none that the actor may see.
        NotAllowed: the actor may not split the course's budget.
        ClassEnded: it is over.
        TenantNotActive: the course is suspended or closed: none of its budget goes anywhere.
        InvalidEntry: with what is wrong with the list.
        NotEnoughFree, InvalidAmount, AllocationStateRefused: from the ledger; nothing was changed.
    """
    wanted = list_students(shares)
    now = services.clock.now()

    def work(connection: Connection) -> list[SeatMade]:
        pool, course = lock_class(connection, actor, class_id)
        _require_active(connection, course)
        present = set(
            connection.scalars(select(col(ClassSeat.student)).where(col(ClassSeat.pool_id) == class_id))
        )
        new = [
            Share(share.student, {**each, **share.lines}) for share in wanted if share.student not in present
        ]
        list_students([*new, *(Share(student) for student in present)])
        require_few(
            connection, actor, course.organisation_id, sum("@" in share.student for share in new), now
        )
        room = Room(class_id, pool.name, course, pool.allocation_id, pool.ends_at)
        made = make_seats(connection, services, actor, room, new, at=now)
        if made:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="class.students_added",
                subject=course.account,
                class_id=str(class_id),
                students={share.student: dict(share.lines) for share in new},
            )
        return made

    return transact(services.engine, work)


def give_student(  # noqa: PLR0913, PLR0917 - who, whom, what
    services: Services, actor: Actor, class_id: UUID, account: str, lines: Mapping[Asset, int], key: str
) -> bool:
    """Give a student more of the course's budget; False when this key did it before.

    Raises:
        NotFound, NotAllowed, ClassEnded, TenantNotActive: see `add_students`.
        NotEnoughFree, InvalidAmount, AllocationStateRefused, KeyReused: from the ledger; nothing was changed.
    """

    def deed(connection: Connection, course: Place, seat: AnyRow, reason: str) -> Mapping[Asset, int]:
        _require_active(connection, course)
        done = resize_part.give_more(
            connection,
            allocation_id=seat.allocation_id,
            lines=lines,
            actor_id=actor.user_id,
            reason=reason,
            key=f"{seat.project_id}:{key}",
            at=services.clock.now(),
        )
        return lines if done else {}

    return bool(_resize(services, actor, class_id, account, deed, action="class.student_given"))


def take_from_student(  # noqa: PLR0913, PLR0917 - who, whom, what
    services: Services,
    actor: Actor,
    class_id: UUID,
    account: str,
    lines: Mapping[Asset, int] | None,
    key: str,
) -> Mapping[Asset, int]:
    """Take free budget of a student back into the course, all of it when `lines` is None; what came back.

    What their jobs hold stays with them. The same key again takes nothing.

    Raises:
        NotFound, NotAllowed, ClassEnded: see `add_students`.
        NotEnoughFree, InvalidAmount, KeyReused: from the ledger; nothing was changed.
    """

    def deed(connection: Connection, _course: Place, seat: AnyRow, reason: str) -> Mapping[Asset, int]:
        facts = {
            "allocation_id": seat.allocation_id,
            "actor_id": actor.user_id,
            "reason": reason,
            "key": f"{seat.project_id}:{key}",
            "at": services.clock.now(),
        }
        if lines is None:
            return move_budget.return_budget(connection, **facts)
        return lines if resize_part.take_back(connection, lines=lines, **facts) else {}

    return _resize(services, actor, class_id, account, deed, action="class.student_taken_from")


def remove_student(
    services: Services, actor: Actor, class_id: UUID, account: str, *, jobs: JobsThen = JobsThen.KEEP
) -> bool:
    """Close a student's project and take back what is free; False when it was closed before.

    What runs goes on unless `jobs` says otherwise; what it leaves over comes back when it has ended.

    Raises:
        NotFound, NotAllowed, ClassEnded: see `add_students`.
    """
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        events.take_turns(connection)
        pool, course = lock_class(connection, actor, class_id)
        seat = _seat(connection, class_id, account)
        closed = close_seat(
            connection, seat, actor=actor, reason=f"left the class {pool.name}", jobs=jobs, at=now
        )
        if closed is None:
            return False
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="class.student_removed",
            subject=account,
            class_id=str(class_id),
            course=course.account,
            returned=dict(closed.returned),
            jobs_cancelled=closed.jobs_cancelled,
        )
        return True

    done = transact(services.engine, work)
    services.wake.notify()
    return done


def lock_class(connection: Connection, actor: Actor, class_id: UUID) -> tuple[AnyRow, Place]:
    """A class that goes on, for somebody who may split its course's budget; others wait until the commit.

    Raises:
        NotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
        ClassEnded: it is over.
    """
    hidden = NotFound("class", class_id)
    pool = connection.execute(
        select(
            col(ClassPool.project_id),
            col(ClassPool.allocation_id),
            col(ClassPool.name),
            col(ClassPool.ends_at),
        ).where(col(ClassPool.id) == class_id)
    ).first()
    course = pool and load_place(connection, project_id=pool.project_id)
    if pool is None or course is None:
        raise hidden
    if not sees_classes(actor, course.organisation_id, pool.project_id):
        raise hidden
    permissions.require(
        actor, Action.SPLIT_BUDGET, organisation_id=course.organisation_id, project_id=course.project_id
    )
    lock_organisation(connection, course.organisation_id)
    ended_at = connection.execute(
        select(col(ClassPool.ended_at)).where(col(ClassPool.id) == class_id).with_for_update()
    ).scalar_one()
    if ended_at is not None:
        raise ClassEnded(pool.name)
    return pool, course


def _require_active(connection: Connection, course: Place) -> None:
    """Let budget leave the course only while it may submit itself: nobody works on in a student's project.

    Raises:
        TenantNotActive: it, or its organisation, is suspended or closed.
    """
    assert course.project_id  # noqa: S101 - a course is a project
    for refusal in paying_projects.refusals(connection, [course.project_id]).values():
        raise refusal


def _seat(connection: Connection, class_id: UUID, account: str) -> AnyRow:
    seat = connection.execute(
        select(
            col(ClassSeat.project_id),
            col(ClassSeat.allocation_id),
            col(ClassSeat.student),
            col(Project.state),
        )
        .join(Project, col(Project.id) == col(ClassSeat.project_id))
        .where(col(ClassSeat.pool_id) == class_id, col(Project.account) == account)
    ).first()
    if seat is None:
        raise NotFound("student's project", account)
    return seat


def _resize(  # noqa: PLR0913 - who, whom, what
    services: Services,
    actor: Actor,
    class_id: UUID,
    account: str,
    deed: Callable[[Connection, Place, AnyRow, str], Mapping[Asset, int]],
    *,
    action: str,
) -> Mapping[Asset, int]:
    """Do it in one transaction, and write it down when something was moved."""

    def work(connection: Connection) -> Mapping[Asset, int]:
        pool, course = lock_class(connection, actor, class_id)
        seat = _seat(connection, class_id, account)
        if seat.state is TenantState.CLOSED:
            raise TenantClosed(account)
        moved = deed(connection, course, seat, f"class {pool.name}")
        if moved:
            audit.record(
                connection,
                at=services.clock.now(),
                actor=actor,
                action=action,
                subject=account,
                class_id=str(class_id),
                course=course.account,
                lines=dict(moved),
            )
        return moved

    return transact(services.engine, work)
