"""Classes as pages: make one, see every student's balance, give, take back, end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.change_class import (
    add_students,
    give_student,
    remove_student,
    take_from_student,
)
from hpc_portal.app.tenants.class_queries import get_class
from hpc_portal.app.tenants.end_class import end_class
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.app.tenants.read_students import read_students
from hpc_portal.app.tenants.seats import SeatMade, Share
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.request_form import read_amounts
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.show_request import show_unit
from hpc_portal.web.tenant_forms import carry_out, read_jobs, text_of
from hpc_portal.web.tenant_words import SEAT_STATES, show_parts
from quotas.amounts import Asset
from quotas.balance import balance
from quotas.money import VND
from schedulers.units import CITY_TIME
from workloads.template import N_

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Form:
    """The form of a new class as it was filled in."""

    name: str = ""
    last_day: str = ""
    students: str = ""
    each: Mapping[Asset, str] = field(default_factory=dict)
    key: str = ""


@router.get("/projects/{account}/classes/new")
def show_new(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """An empty form."""
    return _form_page(request, actor, services, account, _Form(key=str(uuid4())))


@router.post("/projects/{account}/classes")
async def create(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
) -> Response:
    """Make the class, and show its invitations' links once."""
    fields = await request.form()
    form = _Form(
        text_of(fields, "name"),
        text_of(fields, "last_day"),
        text_of(fields, "students"),
        _amount_texts(fields),
        text_of(fields, "key") or str(uuid4()),
    )

    def deed() -> Response:
        wanted = NewClass(
            account,
            form.name,
            [Share(student, lines) for student, lines in read_students(form.students)],
            _amounts(form.each),
            _end_of(form.last_day),
        )
        made = make_class(services, actor, wanted, key=form.key)
        return _class_page(request, actor, services, made.id, made=made.seats)

    return await carry_out(
        request,
        deed,
        lambda problems: _form_page(request, actor, services, account, form, problems),
        lambda page: page,
    )


@router.get("/classes/{class_id}")
def show(request: Request, actor: CurrentActor, services: PortalServices, class_id: UUID) -> Response:
    """The class with each student's balance."""
    return _class_page(request, actor, services, class_id)


@router.post("/classes/{class_id}/students")
async def add(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    class_id: UUID,
) -> Response:
    """Seats for students who come later, with their links once."""
    fields = await request.form()

    def deed() -> list[SeatMade]:
        listed = read_students(text_of(fields, "students"))
        shares = [Share(student, lines) for student, lines in listed]
        return add_students(services, actor, class_id, shares, _amounts(_amount_texts(fields)))

    return await carry_out(
        request,
        deed,
        lambda problems: _class_page(request, actor, services, class_id, problems=problems),
        lambda made: _class_page(request, actor, services, class_id, made=made),
    )


@router.post("/classes/{class_id}/students/{account}/give")
async def give(
    request: Request, actor: CurrentActor, services: PortalServices, class_id: UUID, account: str
) -> Response:
    """Give a student more."""
    fields = await request.form()
    key = text_of(fields, "key") or str(uuid4())
    return await _change(
        request,
        actor,
        services,
        class_id,
        lambda: give_student(services, actor, class_id, account, _amounts(_amount_texts(fields)), key),
    )


@router.post("/classes/{class_id}/students/{account}/take")
async def take(
    request: Request, actor: CurrentActor, services: PortalServices, class_id: UUID, account: str
) -> Response:
    """Take free budget back: so much, or all where nothing is entered."""
    fields = await request.form()
    key = text_of(fields, "key") or str(uuid4())

    def deed() -> Mapping[Asset, int]:
        lines = _amounts(_amount_texts(fields)) or None
        return take_from_student(services, actor, class_id, account, lines, key)

    return await _change(request, actor, services, class_id, deed)


@router.post("/classes/{class_id}/students/{account}/remove")
async def remove(
    request: Request, actor: CurrentActor, services: PortalServices, class_id: UUID, account: str
) -> Response:
    """Close a student's project."""
    jobs = read_jobs(text_of(await request.form(), "jobs"))
    return await _change(
        request,
        actor,
        services,
        class_id,
        lambda: remove_student(services, actor, class_id, account, jobs=jobs),
    )


@router.post("/classes/{class_id}/end")
async def end(request: Request, actor: CurrentActor, services: PortalServices, class_id: UUID) -> Response:
    """End the class before its time."""
    jobs = read_jobs(text_of(await request.form(), "jobs"))
    return await _change(
        request, actor, services, class_id, lambda: end_class(services, actor, class_id, jobs=jobs)
    )


async def _change(
    request: Request,
    actor: Actor,
    services: Services,
    class_id: UUID,
    deed: Callable[[], object],
) -> Response:
    return await carry_out(
        request,
        deed,
        lambda problems: _class_page(request, actor, services, class_id, problems=problems),
        f"/classes/{class_id}",
    )


def _form_page(  # noqa: PLR0913, PLR0917 - what the page shows
    request: Request,
    actor: Actor,
    services: Services,
    account: str,
    form: _Form,
    problems: Sequence[ShownProblem] = (),
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        project = get_project(session, actor, account)
        permissions.require(
            actor,
            Action.SPLIT_BUDGET,
            organisation_id=project.organisation_id,
            project_id=project.id,
        )
        found = balance(session.connection(), project.id, services.clock.now())
    lines = [
        {
            "asset": asset,
            "label": asset_label(asset, language),
            "free": show_asset(asset, max(amounts.available, 0), language),
            "unit": show_unit(asset, language),
            "value": form.each.get(asset, ""),
        }
        for asset, amounts in sorted(found.by_asset.items(), key=lambda item: (item[0] != VND, item[0]))
    ]
    until = max((one.valid_to for one in found.allocations), default=None)
    facts = {"project": project, "form": form, "lines": lines, "until": until, "problems": problems}
    return pages.render(request, "tenants/new_class.html", facts)


def _class_page(  # noqa: PLR0913 - what the page shows
    request: Request,
    actor: Actor,
    services: Services,
    class_id: UUID,
    *,
    problems: Sequence[ShownProblem] = (),
    made: Sequence[SeatMade] = (),
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = get_class(session, actor, class_id, at=services.clock.now())
        project = get_project(session, actor, found.record.course)
    facts = {
        "found": found,
        "record": found.record,
        "may_split": permissions.may(
            actor,
            Action.SPLIT_BUDGET,
            organisation_id=project.organisation_id,
            project_id=project.id,
        ),
        "seats": [(seat, show_parts(seat.by_asset, language)) for seat in found.seats],
        "parts_by": {part.asset: part for part in show_parts(found.by_asset, language)},
        "course": show_parts(found.course_by_asset, language),
        "units": {asset: show_unit(asset, language) for asset in found.course_by_asset},
        "labels": {asset: asset_label(asset, language) for asset in found.course_by_asset},
        "seat_states": SEAT_STATES,
        "problems": problems,
        "made": made,
        "key": str(uuid4()),
        "last": found.record.ends_at - timedelta(microseconds=1),
    }
    return pages.render(request, "tenants/class.html", facts)


def _amount_texts(fields: FormData) -> dict[Asset, str]:
    """Amounts as they were entered, by asset; empty ones are left out."""
    return {
        name.removeprefix("amount."): value.strip()
        for name, value in fields.multi_items()
        if name.startswith("amount.") and isinstance(value, str) and value.strip()
    }


def _amounts(texts: Mapping[Asset, str]) -> dict[Asset, int]:
    problems: list[Problem] = []
    found = read_amounts(texts, problems, name="amount")
    if problems:
        raise InvalidEntry(problems)
    return found


def _end_of(day: str) -> datetime | None:
    """The instant at which the city's day ends; None for no day.

    Raises:
        InvalidEntry: it is no day.
    """
    if not day:
        return None
    try:
        last = date.fromisoformat(day)
        return datetime.combine(last + timedelta(days=1), time(), tzinfo=CITY_TIME)
    except (ValueError, OverflowError) as error:
        raise InvalidEntry([Problem("ends_at", N_("Enter a day, such as 2026-12-31."))]) from error
