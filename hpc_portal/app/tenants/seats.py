"""Seats of a class: who gets which part of the course's budget, and the small project that each one is."""

import contextlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.create_project import insert_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NameTaken, Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import leads
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationMember, ProjectMember, ProjectRole, User
from hpc_portal.app.tenants.invite import send_invitation
from hpc_portal.app.tenants.place import Place
from hpc_portal.app.tenants.tables import ClassSeat
from quotas.amounts import STORAGE, Asset
from quotas.money import VND
from quotas.move_budget import move_budget
from quotas.tables import AllocationLine, Project
from schedulers import tres

MOST_STUDENTS = 300
_LONGEST_ACCOUNT = 40
_LONGEST_COURSE_PART = 22
_EVERY_JOB_NEEDS = frozenset({VND, STORAGE, tres.CPU, tres.MEM})


@dataclass(frozen=True, slots=True)
class Share:
    """One student as the teacher lists them."""

    student: str
    """The user name of a member of the organisation, or an address to invite."""
    lines: Mapping[Asset, int] = field(default_factory=dict)
    """Đồng or TRES-seconds of their own; empty: what everybody gets."""


@dataclass(frozen=True, slots=True)
class SeatMade:
    """A seat that was made now."""

    student: str
    account: str
    """Of the student's own project."""
    link: str = field(default="", repr=False)
    """Of the invitation, shown once; "" for members."""


@dataclass(frozen=True, slots=True)
class Room:
    """The class that seats are made in."""

    pool_id: UUID
    name: str
    course: Place
    allocation_id: UUID
    ends_at: datetime


def list_students(shares: Sequence[Share]) -> list[Share]:
    """The same with names as they are stored; whoever is listed twice must be meant once.

    Raises:
        InvalidEntry: nobody is listed, too many are, one twice, or a name makes no sense.
    """
    found = [Share(share.student.strip().lower(), share.lines) for share in shares if share.student.strip()]
    names = [share.student for share in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    wrong = [
        name
        for name in names
        if (checks.email_problem(name) if "@" in name else checks.username_problem(name))
    ]
    checks.require(
        [
            None if found else Problem("students", "List at least one student."),
            Problem("students", "A class has at most %(most)s students.", {"most": MOST_STUDENTS})
            if len(found) > MOST_STUDENTS
            else None,
            Problem("students", "%(name)s is listed twice.", {"name": twice[0]}) if twice else None,
            Problem(
                "students", "%(name)s is neither a user name nor an e-mail address.", {"name": wrong[0][:100]}
            )
            if wrong
            else None,
        ]
    )
    return found


def find_members(connection: Connection, organisation_id: UUID, shares: Sequence[Share]) -> dict[str, UUID]:
    """Ids of the students that are named by user name.

    Raises:
        InvalidEntry: one is not in the organisation; also when there is no such person at all, so that a
            teacher cannot find out who has an account.
    """
    names = [share.student for share in shares if "@" not in share.student]
    rows = connection.execute(
        select(col(User.username), col(User.id))
        .join(OrganisationMember, col(OrganisationMember.user_id) == col(User.id))
        .where(
            col(User.username).in_(names),
            col(User.is_active),
            col(OrganisationMember.organisation_id) == organisation_id,
        )
    )
    found: dict[str, UUID] = {row.username: row.id for row in rows}
    strangers = [name for name in names if name not in found]
    if strangers:
        raise InvalidEntry(
            [
                Problem(
                    "students",
                    "%(name)s is not in your organisation. Write their e-mail address to invite them.",
                    {"name": strangers[0]},
                )
            ]
        )
    return found


def make_seats(  # noqa: PLR0913 - what every seat of a class needs
    connection: Connection,
    services: Services,
    actor: Actor,
    room: Room,
    shares: Sequence[Share],
    *,
    at: datetime,
) -> list[SeatMade]:
    """A project, its part of the budget and its people for each student; `shares` have their lines by now.

    The caller has checked who may, and locked the organisation. It commits.

    Raises:
        InvalidEntry: a student by user name is not in the organisation, or could run nothing.
        NotEnoughFree, InvalidAmount, AllocationStateRefused: from the ledger.
    """
    _require_runnable(connection, room.allocation_id, shares)
    members = find_members(connection, room.course.organisation_id, shares)
    assert room.course.project_id  # noqa: S101 - a course is a project
    teachers = leads(connection, room.course.project_id)
    start = room.course.account[:_LONGEST_COURSE_PART].rstrip("-")
    taken = _accounts_like(connection, start)
    made = []
    for share in shares:
        own = re.sub(r"[^a-z0-9]+", "-", share.student.partition("@")[0]).strip("-") or "student"
        project_id, account = _make_project(
            connection, room, f"{start}-{own}", share.student, at, taken=taken
        )
        allocation_id = move_budget(
            connection,
            source=room.allocation_id,
            target_project=project_id,
            lines=share.lines,
            valid_to=room.ends_at,
            actor_id=actor.user_id,
            reason=f"class {room.name}",
            key=f"seat:{project_id}",
            at=at,
        )
        connection.execute(
            insert(ClassSeat).values(
                project_id=project_id,
                pool_id=room.pool_id,
                student=share.student,
                allocation_id=allocation_id,
                added_at=at,
            )
        )
        student_id = members.get(share.student)
        for user_id in teachers - {student_id}:
            _add(connection, project_id, user_id, ProjectRole.LEAD)
        if student_id:
            _add(connection, project_id, student_id, ProjectRole.MEMBER)
            _tell(connection, actor, room, share, student_id, account, project_id, at)
            made.append(SeatMade(share.student, account))
        else:
            place = Place(
                room.course.organisation_id,
                room.course.organisation,
                room.course.organisation_name,
                is_closed=False,
                project_id=project_id,
                account=account,
            )
            role = ProjectRole.MEMBER.value
            invited = send_invitation(connection, services, actor, place, share.student, role, at=at)
            made.append(SeatMade(share.student, account, invited.link))
    return made


def _require_runnable(connection: Connection, source: UUID, shares: Sequence[Share]) -> None:
    """Refuse parts that pay for no job: what limits the course limits each student, see `move_budget`."""
    limited = connection.scalars(
        select(col(AllocationLine.asset)).where(col(AllocationLine.allocation_id) == source)
    )
    needed = _EVERY_JOB_NEEDS.intersection(limited)
    lacking = sorted({asset for share in shares for asset in needed - share.lines.keys()})
    checks.require(
        [
            Problem(
                "each",
                "The course's budget limits %(asset)s, which every job needs. Give each student some of it.",
                {"asset": asset},
            )
            for asset in lacking
        ]
    )


def _accounts_like(connection: Connection, start: str) -> set[str]:
    found = select(col(Project.account)).where(col(Project.account).like(f"{start}-%"))
    return set(connection.scalars(found))


def _make_project(  # noqa: PLR0913 - the facts of one project
    connection: Connection, room: Room, account: str, student: str, at: datetime, *, taken: set[str]
) -> tuple[UUID, str]:
    """Its id and its account, with a number behind it where somebody has that name."""
    name = f"{room.name[:120]}: {student[:70]}"
    for number in itertools.count(1):
        end = "" if number == 1 else f"-{number}"
        free = f"{account[: _LONGEST_ACCOUNT - len(end)].rstrip('-')}{end}"
        if free in taken:
            continue
        taken.add(free)
        with contextlib.suppress(NameTaken):  # by a class that is being made right now
            made = insert_project(connection, room.course.organisation_id, account=free, name=name, at=at)
            return made, free
    raise AssertionError


def _add(connection: Connection, project_id: UUID, user_id: UUID, role: ProjectRole) -> None:
    connection.execute(insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=role))


def _tell(  # noqa: PLR0913, PLR0917 - the facts of one notice
    connection: Connection,
    actor: Actor,
    room: Room,
    share: Share,
    student_id: UUID,
    account: str,
    project_id: UUID,
    at: datetime,
) -> None:
    notify(
        connection,
        to=[student_id],
        kind=NoticeKind.SEAT_GIVEN,
        facts={
            "class_name": room.name,
            "project": account,
            "by": actor.display_name,
            "lines": dict(share.lines),
            "ends_at": room.ends_at.isoformat(),
        },
        at=at,
        key=f"seat:{project_id}",
    )
