"""Classes: a teacher splits a course's budget over students; what is left returns at term end."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header

from hpc_portal.api.classes_schemas import (
    ClassBody,
    ClassDetailsReply,
    ClassMadeReply,
    ClassOverReply,
    ClassReply,
    JobsThenBody,
    LinesBody,
    MovedReply,
    SeatMadeReply,
    StudentsBody,
    TakeBody,
)
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.tenants import class_queries
from hpc_portal.app.tenants.change_class import (
    add_students,
    give_student,
    remove_student,
    take_from_student,
)
from hpc_portal.app.tenants.end_class import end_class
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["classes"])

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=100)]


@router.get("/projects/{account}/classes")
def list_classes(services: PortalServices, actor: CurrentActor, account: str) -> ListReply[ClassReply]:
    """The classes of a course, newest first; for those who may split its budget."""
    with services.reading() as session:
        found = class_queries.list_classes(session, actor, account)
    return ListReply(items=[ClassReply.model_validate(item) for item in found])


@router.post("/projects/{account}/classes", status_code=HTTPStatus.CREATED)
def make(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    account: str,
    body: ClassBody,
    idempotency_key: Key,
) -> ClassMadeReply:
    """Split the course's budget over students. The same Idempotency-Key makes one class."""
    students = [student.share() for student in body.students]
    wanted = NewClass(account, body.name, students, body.each, body.ends_at)
    made = make_class(services, actor, wanted, key=idempotency_key)
    identities.forget()
    return ClassMadeReply.model_validate(made)


@router.get("/classes/{class_id}")
def show(services: PortalServices, actor: CurrentActor, class_id: UUID) -> ClassDetailsReply:
    """A class with each student's balance."""
    with services.reading() as session:
        found = class_queries.get_class(session, actor, class_id, at=services.clock.now())
    return ClassDetailsReply.model_validate(found)


@router.post("/classes/{class_id}/students", status_code=HTTPStatus.CREATED)
def add(
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    class_id: UUID,
    body: StudentsBody,
) -> ListReply[SeatMadeReply]:
    """Seats for students who come later; those who have one are left as they are."""
    shares = [student.share() for student in body.students]
    made = add_students(services, actor, class_id, shares, body.each)
    identities.forget()
    return ListReply(items=[SeatMadeReply.model_validate(seat) for seat in made])


@router.post("/classes/{class_id}/students/{account}/give")
def give(  # noqa: PLR0913 - who, whom, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    class_id: UUID,
    account: str,
    body: LinesBody,
    idempotency_key: Key,
) -> MovedReply:
    """Give a student more of the course's budget."""
    is_new = give_student(services, actor, class_id, account, body.lines, idempotency_key)
    return MovedReply(lines=body.lines if is_new else {})


@router.post("/classes/{class_id}/students/{account}/take")
def take(  # noqa: PLR0913 - who, whom, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    class_id: UUID,
    account: str,
    body: TakeBody,
    idempotency_key: Key,
) -> MovedReply:
    """Take free budget of a student back into the course; all of it without `lines`."""
    moved = take_from_student(services, actor, class_id, account, body.lines, idempotency_key)
    return MovedReply(lines=dict(moved))


@router.post("/classes/{class_id}/students/{account}/remove", status_code=HTTPStatus.NO_CONTENT)
def remove(
    services: PortalServices, actor: CurrentActor, class_id: UUID, account: str, body: JobsThenBody
) -> None:
    """Close a student's project and take back what is free."""
    remove_student(services, actor, class_id, account, jobs=body.jobs)


@router.post("/classes/{class_id}/end")
def end(services: PortalServices, actor: CurrentActor, class_id: UUID, body: JobsThenBody) -> ClassOverReply:
    """End a class before its time, for good."""
    return ClassOverReply.model_validate(end_class(services, actor, class_id, jobs=body.jobs))
