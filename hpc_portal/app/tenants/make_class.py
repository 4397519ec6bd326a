"""Make a class: split a course's budget over its students, a small project for each (ADR 0040)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app import audit, paying_projects, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import IdempotencyKeyReused, InvalidEntry, NobodyLeads, Problem, ProjectNotFound
from hpc_portal.app.ids import new_id
from hpc_portal.app.notices.recipients import leads
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ProjectRole
from hpc_portal.app.tenants.invite import require_few
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from hpc_portal.app.tenants.place import Place, load_place
from hpc_portal.app.tenants.seats import Room, SeatMade, Share, list_students, make_seats
from hpc_portal.app.tenants.tables import ClassPool, ClassSeat
from quotas.amounts import Asset, format_amount
from quotas.balance import AllocationBalance, balance
from quotas.tables import AllocationState
from schedulers.units import CITY_TIME
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class to be."""

    course: str
    """The account of the project whose budget is split."""
    name: str
    students: Sequence[Share]
    each: Mapping[Asset, int] = field(default_factory=dict)
    """What every student without lines of their own gets; empty: an equal part of all that is free."""
    ends_at: datetime | None = None
    """Term end, not included; None: with the budget itself."""


@dataclass(frozen=True, slots=True)
class ClassMade:
    """The class, and the seats that this call made: none when it is a repeat."""

    id: UUID
    seats: tuple[SeatMade, ...]
    is_new: bool


def make_class(services: Services, actor: Actor, wanted: NewClass, *, key: str) -> ClassMade:
    """Split the budget, all or nothing; the same key again returns the same class.

    Raises:
        ProjectNotFound: there is no such course, or none that the actor may see.
        NotAllowed: the actor sees it, but neither leads it nor manages the organisation.
        InvalidEntry: with what is wrong: the list, the name, the end, or more than is free.
        TenantNotActive: the course is suspended or closed.
        NobodyLeads: the course has no lead, who would be the students' teacher.
        IdempotencyKeyReused: the key came before with another class.
        TooManyInvitations: a limit that keeps strangers from being flooded.
        NotEnoughFree: jobs took the budget in this very moment; nothing was changed.
    """
    shares = list_students(wanted.students)
    checks.require([checks.title_problem("name", wanted.name), _end_problem(wanted.ends_at)])
    now = services.clock.now()
    request_hash = _hash(wanted, shares)

    def work(connection: Connection) -> ClassMade:
        course = find_course(connection, actor, wanted.course)
        lock_organisation(connection, course.organisation_id)
        stored_key = f"{course.project_id}:{key}"
        if before := _made_before(connection, stored_key, key, request_hash):
            return ClassMade(before, (), is_new=False)
        _require_teachable(connection, actor, course)
        source, ends_at = _choose_source(connection, course, wanted, shares, now)
        given = _give_lines(source, shares, wanted.each)
        require_few(connection, actor, course.organisation_id, _addresses(given), now)
        room = Room(new_id(), wanted.name.strip(), course, source.allocation_id, ends_at)
        connection.execute(
            insert(ClassPool).values(
                id=room.pool_id,
                project_id=course.project_id,
                allocation_id=room.allocation_id,
                name=room.name,
                key=stored_key,
                request_hash=request_hash,
                ends_at=ends_at,
                created_by=actor.user_id if actor.user_id.int else None,
                created_at=now,
            )
        )
        seats = make_seats(connection, services, actor, room, given, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="class.made",
            subject=course.account,
            class_id=str(room.pool_id),
            name=room.name,
            ends_at=ends_at.isoformat(),
            students={share.student: dict(share.lines) for share in given},
        )
        return ClassMade(room.pool_id, tuple(seats), is_new=True)

    return transact(services.engine, work)


def find_course(connection: Connection, actor: Actor, account: str) -> Place:
    """The course, for somebody who may split its budget.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
    """
    place = load_place(connection, project=account)
    if place is None:
        raise ProjectNotFound(account)
    permissions.require(
        actor,
        Action.SPLIT_BUDGET,
        organisation_id=place.organisation_id,
        project_id=place.project_id,
        hidden_as=ProjectNotFound(account),
    )
    return place


def _addresses(shares: Sequence[Share]) -> int:
    return sum("@" in share.student for share in shares)


def _end_problem(ends_at: datetime | None) -> Problem | None:
    if ends_at is None or ends_at.tzinfo:
        return None
    return Problem("ends_at", "Give the time zone, such as 2026-12-01T00:00:00+07:00.")


def _require_teachable(connection: Connection, actor: Actor, course: Place) -> None:
    assert course.project_id  # noqa: S101 - a course is a project
    for refusal in paying_projects.refusals(connection, [course.project_id]).values():
        raise refusal
    if connection.execute(select(1).where(col(ClassSeat.project_id) == course.project_id)).first():
        raise InvalidEntry([Problem("course", "A student's part of a class cannot be split again.")])
    if not leads(connection, course.project_id) and not permissions.may(actor, Action.GRANT):
        raise NobodyLeads(course.account, ProjectRole.LEAD.value)


def _choose_source(
    connection: Connection, course: Place, wanted: NewClass, shares: Sequence[Share], now: datetime
) -> tuple[AllocationBalance, datetime]:
    """The budget that ends first of those that last long enough and have enough, and when the class ends."""
    assert course.project_id  # noqa: S101 - a course is a project
    if wanted.ends_at is not None and wanted.ends_at <= now:
        raise InvalidEntry([Problem("ends_at", "Term end must be in the future.")])
    found = [
        allocation
        for allocation in balance(connection, course.project_id, now).allocations
        if allocation.state is AllocationState.ACTIVE and allocation.valid_to > now
    ]
    lasting = [one for one in found if _ends_by(wanted.ends_at, one.valid_to)]
    if not lasting:
        last = max((one.valid_to for one in found), default=None)
        if last is None:
            raise InvalidEntry([Problem("course", "The course has no budget now. Request one first.")])
        text = N_(
            "The course's budget ends at %(end)s. Let the class end by then, or ask to extend the budget."
        )
        raise InvalidEntry([Problem("ends_at", text, {"end": f"{last:%Y-%m-%d %H:%M} UTC"})])
    for allocation in lasting:
        if not _lacking(allocation, _total(_give_lines(allocation, shares, wanted.each))):
            return allocation, min(wanted.ends_at or allocation.valid_to, allocation.valid_to)
    best = lasting[-1]
    total = _total(_give_lines(best, shares, wanted.each))
    asset = _lacking(best, total)[0]
    raise InvalidEntry(
        [
            Problem(
                "each",
                "The class needs %(needed)s; the course has %(free)s free. Give each less, or request more.",
                {
                    "needed": format_amount(asset, total[asset]),
                    "free": format_amount(asset, _free(best).get(asset, 0)),
                },
            )
        ]
    )


def _ends_by(ends_at: datetime | None, valid_to: datetime) -> bool:
    """A class whose last day is the budget's ends with it, at whatever hour that is."""
    if ends_at is None or ends_at <= valid_to:
        return True
    instant = timedelta(microseconds=1)
    last, budget = ((moment - instant).astimezone(CITY_TIME).date() for moment in (ends_at, valid_to))
    return last <= budget


def _give_lines(source: AllocationBalance, shares: Sequence[Share], each: Mapping[Asset, int]) -> list[Share]:
    """The same shares, each with lines: its own, and in all else what everybody gets.

    Without that, what is left is split equally over those who have none of their own.
    """
    if each:
        return [Share(share.student, {**each, **share.lines}) for share in shares]
    others = [share for share in shares if not share.lines]
    if others:
        own = _total([share for share in shares if share.lines])
        left = {asset: amount - own.get(asset, 0) for asset, amount in _free(source).items()}
        each = {asset: amount // len(others) for asset, amount in left.items() if amount >= len(others)}
    return [share if share.lines else Share(share.student, each) for share in shares]


def _free(source: AllocationBalance) -> dict[Asset, int]:
    return {asset: max(amounts.available, 0) for asset, amounts in source.by_asset.items()}


def _total(shares: Sequence[Share]) -> dict[Asset, int]:
    total: dict[Asset, int] = {}
    for share in shares:
        for asset, amount in share.lines.items():
            total[asset] = total.get(asset, 0) + amount
    return total


def _lacking(source: AllocationBalance, total: Mapping[Asset, int]) -> list[Asset]:
    free = _free(source)
    return sorted(asset for asset, amount in total.items() if amount > free.get(asset, 0))


def _made_before(connection: Connection, stored_key: str, key: str, request_hash: str) -> UUID | None:
    row = connection.execute(
        select(col(ClassPool.id), col(ClassPool.request_hash)).where(col(ClassPool.key) == stored_key)
    ).first()
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise IdempotencyKeyReused(key)
    pool_id: UUID = row.id
    return pool_id


def _hash(wanted: NewClass, shares: Sequence[Share]) -> str:
    content = {
        "course": wanted.course,
        "name": wanted.name.strip(),
        "students": [[share.student, dict(share.lines)] for share in shares],
        "each": dict(wanted.each),
        "ends_at": wanted.ends_at and wanted.ends_at.isoformat(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
