"""Classes: a course's budget is split over students, never grows by it, and comes back at term end."""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import (
    ClassEnded,
    IdempotencyKeyReused,
    InvalidEntry,
    NotAllowed,
    NotFound,
    TenantClosed,
    TenantNotActive,
)
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.tables import Mail, Notice
from hpc_portal.app.tables import ProjectRole
from hpc_portal.app.tenants.accept_invitation import NewPerson, accept_as_new_person
from hpc_portal.app.tenants.change_class import (
    add_students,
    give_student,
    remove_student,
    take_from_student,
)
from hpc_portal.app.tenants.change_state import JobsThen, StateChange, change_project_state
from hpc_portal.app.tenants.end_class import end_class
from hpc_portal.app.tenants.hand_over import HandOver, hand_over_project
from hpc_portal.app.tenants.make_class import ClassMade, NewClass, make_class
from hpc_portal.app.tenants.seats import Share
from hpc_portal.app.tenants.tenant_step import TenantStep, forget_links
from quotas.errors import BudgetExceeded, InvalidAmount, NotEnoughFree
from quotas.expire import expire_due
from quotas.tables import Project, TenantState
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.integration.app.conftest import Story
from tests.small_city import BUDGET

WHOLE = BUDGET["VND"]
STUDENTS = tuple(Share(f"sv{number}@example.edu.vn") for number in range(30))
TERM = timedelta(days=100)
PASSWORD = "correct horse battery"


def new(story: Story, **facts: Any) -> NewClass:  # noqa: ANN401 - any field
    known: dict[str, Any] = {
        "course": "chips",
        "name": "VLSI 101",
        "students": STUDENTS,
        "each": {"VND": 1_000_000},
        "ends_at": story.clock.now() + TERM,
    }
    return NewClass(**(known | facts))


def make(story: Story, *, key: str = "k", actor: Actor | None = None, **facts: Any) -> ClassMade:  # noqa: ANN401 - any field
    return make_class(story.city.services, actor or story.city.chips.lead, new(story, **facts), key=key)


def reload(story: Story, user_id: UUID) -> Actor:
    with story.city.services.reading() as session:
        found = load_actor(session, user_id)
    assert found
    return found


def project_id(story: Story, account: str) -> UUID:
    with story.city.services.engine.connect() as connection:
        found: UUID = connection.execute(
            select(col(Project.id)).where(col(Project.account) == account)
        ).scalar_one()
    return found


def free(story: Story, account: str) -> int:
    return story.vnd(project_id(story, account))[0]


def student(story: Story, made: ClassMade, number: int = 0) -> Actor:
    """The person who accepted the invitation of a seat."""
    link = made.seats[number].link.rpartition("/")[2]
    person = NewPerson(f"sv{number}", f"Student {number}", PASSWORD)
    joined = accept_as_new_person(story.city.services, link, person)
    return reload(story, joined.user_id)


def count(story: Story, table: Any) -> int:  # noqa: ANN401 - a table
    with story.city.services.engine.connect() as connection:
        return len(connection.execute(select(table.__table__)).all())


def test_thirty_students_get_their_parts_and_the_course_keeps_the_rest(story: Story) -> None:
    made = make(story)
    assert (made.is_new, len(made.seats)) == (True, 30)
    assert free(story, "chips") == WHOLE - 30 * 1_000_000
    assert {free(story, seat.account) for seat in made.seats} == {1_000_000}
    assert made.seats[0].account == "chips-sv0"
    assert count(story, Mail) == 30
    story.require_exact_ledger()


def test_without_amounts_everything_that_is_free_is_split_equally(story: Story) -> None:
    own = Share("rich@example.edu.vn", {"VND": 10})
    made = make(story, students=[*STUDENTS[:7], own], each={})
    part = (WHOLE - 10) // 7
    assert [free(story, seat.account) for seat in made.seats] == [part] * 7 + [10]
    assert free(story, "chips") == WHOLE - 10 - 7 * part
    story.require_exact_ledger()


def test_courses_whose_names_begin_alike_give_their_students_different_accounts(story: Story) -> None:
    services, now = story.city.services, story.clock.now()
    courses = [f"introduction-to-chip-design-{name}" for name in ("lab", "lecture")]
    for course, organisation in zip(courses, ("chips-org", "rivals-org"), strict=True):
        create_project(services, OPERATOR, organisation=organisation, account=course, name="Course")
        grant_budget(
            services, OPERATOR, course, BudgetGrant({"VND": 10**9}, now, now + 2 * TERM, "x"), key=course
        )

    def make_one(course: str) -> list[str]:
        made = make(story, key=course, actor=OPERATOR, course=course, students=STUDENTS[:3])
        return [seat.account for seat in made.seats]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(make_one, courses)
    accounts = [*first, *second]
    assert len(set(accounts)) == 6
    assert all(re.fullmatch(r"introduction-to-chip-d-sv[0-2](-2)?", account) for account in accounts)


def test_parts_that_could_pay_for_no_job_are_refused(story: Story) -> None:
    services, now = story.city.services, story.clock.now()
    create_project(services, OPERATOR, organisation="rivals-org", account="lab", name="Laboratory")
    lines = {"VND": 1000, "cpu": 3600, "gres/gpu:h100": 3600}
    grant_budget(services, OPERATOR, "lab", BudgetGrant(lines, now, now + 2 * TERM, "x"), key="hours")
    lab: dict[str, Any] = {"actor": OPERATOR, "course": "lab", "students": STUDENTS[:1]}
    for each in ({"VND": 10}, {"cpu": 10, "gres/gpu:h100": 10}):
        with pytest.raises(InvalidEntry, match="every job needs"):
            make(story, each=each, **lab)
    assert make(story, each={"VND": 10, "cpu": 10}, **lab).is_new


def test_a_student_spends_their_own_part_and_no_more(story: Story) -> None:
    made = make(story, each={"VND": 500})
    person = student(story, made)
    account = made.seats[0].account
    assert person.projects == {project_id(story, account): ProjectRole.MEMBER}
    job = story.submit(JobSpec(name="a", argv=["true"]), actor=person, project=account)
    story.step()
    assert story.job(job).cancel_requested_at is None
    long = JobSpec(name="a", argv=["true"], resources=ResourceRequest(walltime_seconds=86_400))
    with pytest.raises(BudgetExceeded):
        story.submit(long, actor=person, project=account)
    story.require_exact_ledger()


def test_members_of_the_organisation_are_in_at_once_and_are_told(story: Story) -> None:
    made = make(story, students=[Share("chips-member")])
    person = reload(story, story.city.chips.member.user_id)
    child = project_id(story, made.seats[0].account)
    assert person.projects[child] is ProjectRole.MEMBER
    assert reload(story, story.city.chips.lead.user_id).projects[child] is ProjectRole.LEAD
    with story.city.services.engine.connect() as connection:
        kinds = list(connection.scalars(select(col(Notice.kind))))
    assert kinds == [NoticeKind.SEAT_GIVEN.value]


def test_the_same_key_makes_one_class(story: Story) -> None:
    first = make(story)
    again = make(story)
    assert (again.id, again.is_new, again.seats) == (first.id, False, ())
    with pytest.raises(IdempotencyKeyReused):
        make(story, name="Another")
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: make(story, key="at once", each={"VND": 1}), range(3)))
    assert len({one.id for one in made}) == 1
    assert sum(one.is_new for one in made) == 1
    story.require_exact_ledger()


def test_two_classes_at_once_never_split_more_than_there_is(story: Story) -> None:
    def split(number: int) -> bool:
        try:
            make(story, key=f"k{number}", each={"VND": WHOLE // 50}, name=f"Class {number}")
        except (InvalidEntry, NotEnoughFree):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(split, range(4))) == 1
    assert free(story, "chips") == WHOLE - 30 * (WHOLE // 50)
    story.require_exact_ledger()


NONSENSE: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"students": ()}, "students"),
    ({"students": [Share("a@b.vn"), Share("A@b.vn ")]}, "students"),
    ({"students": [Share("Not A Name")]}, "students"),
    ({"students": [Share("rivals-member")]}, "students"),
    ({"students": [Share("nobody-at-all")]}, "students"),
    ({"students": [Share(f"s{number}@b.vn") for number in range(301)]}, "students"),
    ({"name": " "}, "name"),
    ({"each": {"VND": WHOLE}}, "each"),
    ({"each": {"gres/gpu": 1}}, "each"),
    ({"ends_at": "past"}, "ends_at"),
    ({"ends_at": "too late"}, "ends_at"),
)


@pytest.mark.parametrize(("facts", "field"), NONSENSE, ids=range(len(NONSENSE)))
def test_what_makes_no_sense_changes_nothing(story: Story, facts: Mapping[str, Any], field: str) -> None:
    moments = {"past": timedelta(0), "too late": timedelta(days=36_500)}
    facts = {
        name: story.clock.now() + moments[value] if name == "ends_at" else value
        for name, value in facts.items()
    }
    with pytest.raises(InvalidEntry) as error:
        make(story, **facts)
    assert [problem.field for problem in error.value.problems] == [field]
    assert (count(story, Project), count(story, Mail), free(story, "chips")) == (2, 0, WHOLE)


@pytest.mark.parametrize("amount", [0, -5])
def test_amounts_that_make_no_sense_are_refused_by_the_ledger(story: Story, amount: int) -> None:
    with pytest.raises(InvalidAmount):
        make(story, students=STUDENTS[:1], each={"VND": amount})
    assert (count(story, Project), free(story, "chips")) == (2, WHOLE)


def test_only_who_leads_the_course_splits_it_and_rivals_see_nothing(story: Story) -> None:
    services, city = story.city.services, story.city
    with pytest.raises(NotAllowed):
        make(story, actor=city.chips.member)
    with pytest.raises(NotFound):
        make(story, actor=city.rivals.lead)
    made = make(story, students=STUDENTS[:2])
    account = made.seats[0].account
    for act in (
        lambda: end_class(services, city.rivals.lead, made.id),
        lambda: give_student(services, city.rivals.lead, made.id, account, {"VND": 1}, "k"),
        lambda: take_from_student(services, city.rivals.lead, made.id, account, None, "k"),
        lambda: remove_student(services, city.rivals.lead, made.id, account),
        lambda: add_students(services, city.rivals.lead, made.id, STUDENTS[3:4], {"VND": 1}),
    ):
        with pytest.raises(NotFound, match="class"):
            act()
    person = student(story, made)
    with pytest.raises(NotFound, match="class"):
        end_class(services, person, made.id)
    assert person.projects.keys() == {project_id(story, account)}, "a student sees no other's project"


def test_a_student_gets_more_and_gives_back(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=STUDENTS[:2])
    account = made.seats[0].account
    assert [give_student(services, lead, made.id, account, {"VND": 5}, "a") for _ in range(2)] == [
        True,
        False,
    ]
    assert free(story, account) == 1_000_005
    assert take_from_student(services, lead, made.id, account, {"VND": 3}, "b") == {"VND": 3}
    assert take_from_student(services, lead, made.id, account, {"VND": 3}, "b") == {}
    assert free(story, account) == 1_000_002
    with pytest.raises(NotEnoughFree):
        take_from_student(services, lead, made.id, account, {"VND": 2_000_000}, "c")
    with pytest.raises(NotEnoughFree):
        give_student(services, lead, made.id, account, {"VND": WHOLE}, "d")
    assert take_from_student(services, lead, made.id, account, None, "e") == {"VND": 1_000_002}
    assert (free(story, account), free(story, "chips")) == (0, WHOLE - 1_000_000)
    story.require_exact_ledger()


def test_students_come_later_and_leave_earlier(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=STUDENTS[:2])
    late = add_students(services, lead, made.id, [STUDENTS[1], STUDENTS[2]], {"VND": 7})
    assert [(seat.student, free(story, seat.account)) for seat in late] == [(STUDENTS[2].student, 7)]
    account = made.seats[0].account
    assert [remove_student(services, lead, made.id, account) for _ in range(2)] == [True, False]
    assert free(story, "chips") == WHOLE - 1_000_000 - 7
    with pytest.raises(TenantClosed):
        give_student(services, lead, made.id, account, {"VND": 1}, "k")
    story.require_exact_ledger()


def test_at_the_end_projects_close_running_jobs_go_on_and_everything_comes_back(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=STUDENTS[:3])
    person, account = student(story, made), made.seats[0].account
    running = story.submit(JobSpec(name="a", argv=["true"]), actor=person, project=account)
    story.step()
    held = story.vnd(project_id(story, account))[1]
    assert held > 0
    over = end_class(services, lead, made.id)
    assert (over.is_new, over.returned, over.jobs_cancelled) == (True, {"VND": 3_000_000 - held}, 0)
    assert not end_class(services, lead, made.id).is_new
    assert free(story, "chips") == WHOLE - held
    assert story.job(running).cancel_requested_at is None
    with pytest.raises(TenantNotActive):
        story.submit(JobSpec(name="a", argv=["true"]), actor=person, project=account)
    with pytest.raises(ClassEnded):
        add_students(services, lead, made.id, STUDENTS[4:5], {"VND": 1})
    story.clock.advance(60)
    story.scheduler.finish_all()
    story.step()
    transact(services.engine, lambda connection: expire_due(connection, at=story.clock.now()))
    charged = story.job(running).charged_vnd
    assert free(story, "chips") == WHOLE - charged
    story.require_exact_ledger()


def test_with_the_class_everything_is_cancelled_when_that_is_asked(story: Story) -> None:
    made = make(story, students=STUDENTS[:1])
    person, account = student(story, made), made.seats[0].account
    job = story.submit(JobSpec(name="a", argv=["true"]), actor=person, project=account)
    story.step()
    over = end_class(story.city.services, story.city.chips.lead, made.id, jobs=JobsThen.CANCEL_ALL)
    assert over.jobs_cancelled == 1
    assert story.job(job).cancel_requested_at is not None


@pytest.mark.parametrize("first", ["the ledger's", "the classes'"])
def test_term_end_comes_by_itself_whoever_of_the_steps_is_first(story: Story, first: str) -> None:
    services = story.city.services
    step = TenantStep(story.context)
    ends_at = story.clock.now() + timedelta(hours=1)
    for key in ("a", "b"):
        make(story, key=key, students=STUDENTS[:2], ends_at=ends_at)
    asyncio.run(step())
    assert free(story, "chips") == WHOLE - 4_000_000
    story.clock.advance(3600)
    if first == "the ledger's":
        transact(services.engine, lambda connection: expire_due(connection, at=story.clock.now()))
        assert free(story, "chips") == WHOLE
    while asyncio.run(step()):
        pass
    assert free(story, "chips") == WHOLE
    with services.engine.connect() as connection:
        states = connection.scalars(
            select(col(Project.state)).where(col(Project.account).like("chips-%"))
        ).all()
    assert set(states) == {TenantState.CLOSED}
    story.require_exact_ledger()


def test_the_new_lead_of_a_course_leads_its_students_projects_too(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    made = make(story, students=STUDENTS[:1])
    hand_over_project(services, chips.lead, "chips", HandOver("chips-member"))
    child = project_id(story, made.seats[0].account)
    assert reload(story, chips.member.user_id).projects[child] is ProjectRole.LEAD
    assert child not in reload(story, chips.lead.user_id).projects


def test_a_part_of_a_class_is_not_split_again_nor_is_a_suspended_course(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=STUDENTS[:1])
    teacher = reload(story, lead.user_id)
    with pytest.raises(InvalidEntry, match="cannot be split again"):
        make(story, actor=teacher, key="x", course=made.seats[0].account, each={"VND": 1})
    change_project_state(services, OPERATOR, "chips", StateChange(TenantState.SUSPENDED, "check"))
    with pytest.raises(TenantNotActive):
        make(story, key="y", students=STUDENTS[5:6])


def test_no_budget_leaves_a_course_that_is_suspended(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=STUDENTS[:1])
    account = made.seats[0].account
    change_project_state(services, OPERATOR, "chips", StateChange(TenantState.SUSPENDED, "check"))
    for pay in (
        lambda: give_student(services, lead, made.id, account, {"VND": 5}, "a"),
        lambda: add_students(services, lead, made.id, STUDENTS[1:2], {"VND": 5}),
    ):
        with pytest.raises(TenantNotActive):
            pay()
    assert take_from_student(services, lead, made.id, account, {"VND": 3}, "b") == {"VND": 3}
    assert (free(story, account), free(story, "chips")) == (999_997, WHOLE - 999_997)
    story.require_exact_ledger()


def test_an_administrator_splits_also_a_course_that_nobody_leads(story: Story) -> None:
    services = story.city.services
    set_project_membership(services, OPERATOR, account="chips", username="chips-lead", role=None)
    assert make(story, actor=OPERATOR).is_new


def test_a_mailed_link_is_forgotten_once_it_was_sent(story: Story) -> None:
    services = story.city.services
    make(story, students=STUDENTS[:2])
    now = story.clock.now()
    assert transact(services.engine, lambda connection: forget_links(connection, at=now)) == 0
    with services.engine.begin() as connection:
        connection.execute(Mail.__table__.update().values(sent_at=now))  # type: ignore[attr-defined]
    assert [
        transact(services.engine, lambda connection: forget_links(connection, at=now)) for _ in range(2)
    ] == [2, 0]


def test_the_students_projects_do_not_clutter_the_teachers_own(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make(story, students=[*STUDENTS[:1], Share("chips-member")])
    with services.reading() as session:
        seen = {
            record.account: record.is_students_part
            for record in list_visible_projects(session, reload(story, lead.user_id))
        }
        theirs = [
            record.is_students_part
            for record in list_visible_projects(session, reload(story, story.city.chips.member.user_id))
        ]
    assert seen == {"chips": False} | {seat.account: True for seat in made.seats}
    assert theirs == [False, False]
