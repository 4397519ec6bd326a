"""Every read of classes: for those who may split the course's budget."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import Job, ProjectMember, ProjectRole, User
from hpc_portal.app.tenants.place import load_place
from hpc_portal.app.tenants.tables import ClassPool, ClassSeat, Invitation
from quotas.amounts import Asset
from quotas.balance import AssetBalance
from quotas.tables import AllocationLine, LedgerAccount, Project, TenantState, table_of

_ACCOUNTS = table_of(LedgerAccount)
_AVAILABLE, _HELD, _CONSUMED = (_ACCOUNTS.alias(name) for name in ("available", "held", "consumed"))


class SeatState(StrEnum):
    """How far a student is."""

    INVITED = "invited"
    JOINED = "joined"
    OVERDUE = "overdue"
    """The invitation's time is over; it can be sent again."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """A class in a list."""

    id: UUID
    name: str
    course: str
    """The course's account."""
    ends_at: datetime
    ended_at: datetime | None
    students: int


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """A student's seat with what is left of their part."""

    student: str
    account: str
    username: str
    """Of whoever took the seat; "" while nobody has."""
    display_name: str
    state: SeatState
    invitation_id: UUID | None
    """Of the invitation that can be sent again."""
    jobs_under_way: int
    by_asset: Mapping[Asset, AssetBalance]


@dataclass(frozen=True, slots=True)
class ClassDetails:
    """A class with its students, and what they have together."""

    record: ClassRecord
    organisation: str
    seats: Sequence[SeatRecord]
    by_asset: Mapping[Asset, AssetBalance]
    course_by_asset: Mapping[Asset, AssetBalance]
    """What the course itself still has of the budget that was split."""


def list_classes(session: Session, actor: Actor, account: str) -> list[ClassRecord]:
    """The classes of a course, newest first; none for those who only submit there.

    Raises:
        ProjectNotFound: there is no such course, or none that the actor may see.
    """
    project = get_project(session, actor, account)
    if not sees_classes(actor, project.organisation_id, project.id):
        return []
    return _classes(session.connection(), col(ClassPool.project_id) == project.id)


def get_class(session: Session, actor: Actor, class_id: UUID, *, at: datetime) -> ClassDetails:
    """A class with every student's balance.

    Raises:
        NotFound: there is none, or none that the actor may see.
    """
    connection = session.connection()
    pool = connection.execute(
        select(col(ClassPool.project_id), col(ClassPool.allocation_id)).where(col(ClassPool.id) == class_id)
    ).first()
    course = pool and load_place(connection, project_id=pool.project_id)
    if pool is None or course is None or not sees_classes(actor, course.organisation_id, pool.project_id):
        raise NotFound("class", class_id)
    (record,) = _classes(connection, col(ClassPool.id) == class_id)
    seats = _seats(connection, class_id, at)
    total: dict[Asset, AssetBalance] = {}
    for seat in seats:
        for asset, amounts in seat.by_asset.items():
            total[asset] = total.get(asset, AssetBalance()) + amounts
    left = _balances(connection, [pool.allocation_id])[pool.allocation_id]
    return ClassDetails(record, course.organisation, seats, total, left)


def sees_classes(actor: Actor, organisation_id: UUID, project_id: UUID) -> bool:
    """Who splits the budget, and who answers for the city; not the students of a course."""
    return permissions.may(
        actor, Action.SPLIT_BUDGET, organisation_id=organisation_id, project_id=project_id
    ) or permissions.may(actor, Action.AUDIT)


def _classes(connection: Connection, where: object) -> list[ClassRecord]:
    seats = (
        select(func.count())
        .where(col(ClassSeat.pool_id) == col(ClassPool.id))
        .correlate(ClassPool)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            col(ClassPool.id),
            col(ClassPool.name),
            col(Project.account),
            col(ClassPool.ends_at),
            col(ClassPool.ended_at),
            seats,
        )
        .join(Project, col(Project.id) == col(ClassPool.project_id))
        .where(where)  # type: ignore[arg-type]
        .order_by(col(ClassPool.id).desc())
    )
    return [ClassRecord(*row) for row in rows]


def _seats(connection: Connection, class_id: UUID, at: datetime) -> list[SeatRecord]:
    rows = connection.execute(
        select(
            col(ClassSeat.student),
            col(ClassSeat.project_id),
            col(ClassSeat.allocation_id),
            col(Project.account),
            col(Project.state),
        )
        .join(Project, col(Project.id) == col(ClassSeat.project_id))
        .where(col(ClassSeat.pool_id) == class_id)
        .order_by(col(ClassSeat.student))
    ).all()
    projects = [row.project_id for row in rows]
    balances = _balances(connection, [row.allocation_id for row in rows])
    people = {
        row.project_id: row
        for row in connection.execute(
            select(col(ProjectMember.project_id), col(User.username), col(User.display_name))
            .join(User, col(User.id) == col(ProjectMember.user_id))
            .where(col(ProjectMember.project_id).in_(projects), col(ProjectMember.role) == ProjectRole.MEMBER)
            .order_by(col(User.username))
        )
    }
    invited = {
        row.project_id: row
        for row in connection.execute(
            select(col(Invitation.project_id), col(Invitation.id), col(Invitation.expires_at)).where(
                col(Invitation.project_id).in_(projects),
                col(Invitation.accepted_at).is_(None),
                col(Invitation.revoked_at).is_(None),
            )
        )
    }
    jobs = {
        row.project_id: row.jobs
        for row in connection.execute(
            select(col(Job.project_id), func.count().label("jobs"))
            .where(col(Job.project_id).in_(projects), under_way())
            .group_by(col(Job.project_id))
        )
    }
    found = []
    for row in rows:
        person, waiting = people.get(row.project_id), invited.get(row.project_id)
        if row.state is TenantState.CLOSED:
            state = SeatState.CLOSED
        elif person or not waiting:
            state = SeatState.JOINED
        else:
            state = SeatState.INVITED if waiting.expires_at > at else SeatState.OVERDUE
        found.append(
            SeatRecord(
                row.student,
                row.account,
                person.username if person else "",
                person.display_name if person else "",
                state,
                waiting.id if waiting and not person else None,
                jobs.get(row.project_id, 0),
                balances[row.allocation_id],
            )
        )
    return found


def _balances(
    connection: Connection, allocations: Collection[UUID]
) -> Mapping[UUID, Mapping[Asset, AssetBalance]]:
    rows = connection.execute(
        select(
            col(AllocationLine.allocation_id),
            col(AllocationLine.asset),
            _AVAILABLE.c.balance.label("available"),
            _HELD.c.balance.label("held"),
            _CONSUMED.c.balance.label("consumed"),
        )
        .join(_AVAILABLE, _AVAILABLE.c.id == col(AllocationLine.available_id))
        .join(_HELD, _HELD.c.id == col(AllocationLine.held_id))
        .join(_CONSUMED, _CONSUMED.c.id == col(AllocationLine.consumed_id))
        .where(col(AllocationLine.allocation_id).in_(allocations))
        .order_by(col(AllocationLine.asset))
    )
    found: dict[UUID, dict[Asset, AssetBalance]] = defaultdict(dict)
    for row in rows:
        found[row.allocation_id][row.asset] = AssetBalance(
            row.available, row.held, row.consumed, max(row.available, 0)
        )
    return found
