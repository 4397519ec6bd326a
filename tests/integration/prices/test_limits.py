"""Limits: who sets which, never more than above, what holds is told with its source, and a start waits."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select, update
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound, ProjectNotFound
from hpc_portal.app.jobs.check_limits import jobs_of
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.limits_at_start import limits_at_start
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.limits.in_use import in_use_of_each, limit_waited_for
from hpc_portal.app.limits.queries import EffectiveLimit, effective_limits, set_limits
from hpc_portal.app.limits.set import change_limit
from hpc_portal.app.limits.target import Target
from hpc_portal.app.tables import Job, OrganisationRole
from quotas.errors import InvalidAmount, LimitExceeded
from quotas.limits import InUse, LimitKind, LimitOwner, Owner
from schedulers.dask.placement import ConcurrentLimits
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.small_city import City, build_city

CHIPS_ORG = Target(LimitOwner.ORGANISATION, organisation="chips-org")
CHIPS = Target(LimitOwner.PROJECT, project="chips")
EVERY_PROJECT = Target(LimitOwner.PROJECT, everybody=True)


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def manager_of(city: City) -> Actor:
    lead = city.chips.lead
    return replace(lead, organisations={city.chips.organisation_id: OrganisationRole.MANAGER}, projects={})


def member_target(city: City) -> Target:
    return Target(LimitOwner.MEMBER, project="chips", user=city.chips.member.username)


def set_one(  # noqa: PLR0913 - a test names what it cares about
    city: City,
    target: Target,
    value: int | None,
    *,
    kind: LimitKind = LimitKind.GPUS_RUNNING,
    gpu_type: str = "",
    actor: Actor = OPERATOR,
) -> int | None:
    return change_limit(city.services, actor, target, kind=kind, value=value, gpu_type=gpu_type)


def effective(city: City, actor: Actor, user: str = "") -> list[EffectiveLimit]:
    with city.services.engine.connect() as connection:
        return list(effective_limits(connection, actor, "chips", user).limits)


def submit(city: City, *, gpus: int = 0) -> UUID:
    asked = {"h100": gpus} if gpus else {}
    resources = ResourceRequest(walltime_seconds=600, gpus_per_node=asked)
    spec = JobSpec(name="run", script="#!/bin/sh\ntrue\n", resources=resources)
    request = SubmitRequest(project="chips", spec=spec)
    return asyncio.run(submit_job(city.services, city.chips.member, request)).job_id


def test_what_holds_is_the_smallest_and_says_where_it_comes_from(city: City) -> None:
    set_one(city, CHIPS_ORG, 16)
    set_one(city, CHIPS, 8)
    set_one(city, member_target(city), 4)
    set_one(city, Target(LimitOwner.USER, everybody=True), 50, kind=LimitKind.JOBS_QUEUED)
    gpus, jobs = effective(city, city.chips.member)
    assert (gpus.kind, gpus.value, gpus.level, gpus.raised_by) == (
        LimitKind.GPUS_RUNNING,
        4,
        LimitOwner.MEMBER,
        "the lead of your project",
    )
    assert sorted(other.value for other in gpus.others) == [8, 16]
    assert (jobs.value, jobs.is_default, jobs.in_use) == (50, True, 0)
    assert [limit.value for limit in effective(city, OPERATOR)] == [8]  # of the project as a whole


def test_a_lower_level_that_was_given_more_first_still_gets_no_more(city: City) -> None:
    set_one(city, CHIPS, 8)
    set_one(city, CHIPS_ORG, 2)
    assert [limit.value for limit in effective(city, city.chips.member)] == [2]
    with pytest.raises(LimitExceeded, match="organisation chips-org is 2 GPUs in use at once"):
        submit(city, gpus=3)


def test_a_default_counts_for_whoever_has_no_limit_of_their_own(city: City) -> None:
    set_one(city, EVERY_PROJECT, 1)
    with pytest.raises(LimitExceeded, match="ask the administrators"):
        submit(city, gpus=2)
    set_one(city, CHIPS, 4)
    assert submit(city, gpus=2)
    assert set_one(city, CHIPS, None) == 4
    with pytest.raises(LimitExceeded):
        submit(city, gpus=2)


def test_each_role_sets_what_is_below_it_and_nothing_else(city: City) -> None:
    lead, member, manager = city.chips.lead, city.chips.member, manager_of(city)
    mine = member_target(city)
    assert set_one(city, mine, 2, actor=lead) is None
    assert set_one(city, mine, 3, actor=manager) == 2
    assert set_one(city, CHIPS, 5, actor=manager) is None
    for who, target in (
        (member, mine),
        (lead, CHIPS),
        (lead, CHIPS_ORG),
        (manager, CHIPS_ORG),
        (manager, EVERY_PROJECT),
        (lead, Target(LimitOwner.USER, user=member.username)),
    ):
        with pytest.raises(NotAllowed):
            set_one(city, target, 1, actor=who)


def test_other_tenants_are_not_told_that_a_project_exists(city: City) -> None:
    stranger = city.rivals.lead
    with pytest.raises(ProjectNotFound):
        set_one(city, CHIPS, 1, actor=stranger)
    with pytest.raises(ProjectNotFound):
        effective(city, stranger)
    set_one(city, CHIPS, 7)
    set_one(city, CHIPS_ORG, 9)
    set_one(city, member_target(city), 3)
    set_one(city, EVERY_PROJECT, 20)
    with city.services.engine.connect() as connection:
        assert [one.value for one in set_limits(connection, stranger)] == [20]
        assert [one.value for one in set_limits(connection, city.chips.member)] == [9, 20, 7, 3]
    with pytest.raises(NotFound):
        set_one(city, Target(LimitOwner.MEMBER, project="chips", user=stranger.username), 1)
    with pytest.raises(NotAllowed):
        effective(city, city.chips.member, user=city.chips.lead.username)


def test_nobody_but_administrators_gives_more_than_holds_above(city: City) -> None:
    set_one(city, CHIPS_ORG, 8)
    set_one(city, EVERY_PROJECT, 6)
    manager, lead = manager_of(city), city.chips.lead
    with pytest.raises(InvalidEntry, match="default for everybody is 6"):
        set_one(city, CHIPS, 7, actor=manager)
    set_one(city, CHIPS, 6, actor=manager)
    with pytest.raises(InvalidEntry, match="The project may have 6"):
        set_one(city, member_target(city), 7, gpu_type="h100", actor=lead)
    set_one(city, member_target(city), 6, gpu_type="h100", actor=lead)
    set_one(city, CHIPS, 20)  # an administrator may, though the organisation's 8 still hold
    assert [one.value for one in effective(city, OPERATOR)] == [8]


@pytest.mark.parametrize(
    ("kind", "value", "gpu_type"),
    [
        (LimitKind.GPUS_RUNNING, -1, ""),
        (LimitKind.GPUS_RUNNING, 2**31, ""),
        (LimitKind.JOBS_RUNNING, 1, "h100"),
        (LimitKind.GPUS_RUNNING, 1, "no such, type"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    city: City, kind: LimitKind, value: int, gpu_type: str
) -> None:
    with pytest.raises(InvalidAmount):
        set_one(city, CHIPS, value, kind=kind, gpu_type=gpu_type)
    for target in (
        Target(LimitOwner.MEMBER, project="chips"),
        Target(LimitOwner.PROJECT, project="chips", user="x"),
        Target(LimitOwner.PROJECT, project="chips", everybody=True),
    ):
        with pytest.raises(InvalidEntry):
            set_one(city, target, 1)
    assert effective(city, city.chips.member) == []


def test_the_audit_log_has_what_was_before_and_a_repeat_is_no_deed(city: City) -> None:
    set_one(city, CHIPS, 4, gpu_type="h100")
    set_one(city, CHIPS, 4, gpu_type="h100")
    set_one(city, CHIPS, 2, gpu_type="h100")
    with city.services.reading() as session:
        deeds = [entry for entry in list_audit(session, OPERATOR).items if entry.action == "limit.set"]
    assert [(deed.subject, deed.facts["was"], deed.facts["value"]) for deed in deeds] == [
        ("chips", {"value": 4}, 2),
        ("chips", {"value": None}, 4),
    ]


def test_the_placement_gets_every_level_by_its_own_names(city: City) -> None:
    set_one(city, CHIPS_ORG, 16)
    set_one(city, CHIPS, 3, kind=LimitKind.JOBS_RUNNING)
    set_one(city, member_target(city), 2, gpu_type="h100")
    set_one(city, Target(LimitOwner.USER, everybody=True), 9, kind=LimitKind.JOBS_RUNNING)
    set_one(city, Target(LimitOwner.USER, user=city.rivals.lead.username), 5, kind=LimitKind.JOBS_RUNNING)
    set_one(city, EVERY_PROJECT, 100, kind=LimitKind.ARRAY_TASKS)  # of no concern at a start
    with city.services.engine.connect() as connection:
        found = limits_at_start(connection)
    member, rival = city.chips.member.username, city.rivals.lead.username
    assert found["organisation", "chips-org"] == ConcurrentLimits(None, {"gres/gpu": 16})
    assert found["project", "chips"] == ConcurrentLimits(3)
    assert found["member", f"chips/{member}"] == ConcurrentLimits(None, {"gres/gpu:h100": 2})
    assert found["user", member] == ConcurrentLimits(9)
    assert found["user", rival] == ConcurrentLimits(5)
    assert ("project", "rivals") not in found


def test_a_job_that_waits_for_a_limit_says_which_whose_and_who_can_raise_it(city: City) -> None:
    running, waiting = submit(city, gpus=2), submit(city, gpus=2)
    set_one(city, CHIPS, 3, gpu_type="h100")

    def as_if_placed(connection: Connection) -> None:
        connection.execute(update(Job).where(col(Job.id) == running).values(tasks_running=1))
        connection.execute(update(Job).where(col(Job.id) == waiting).values(state_reason="AssocGrpGRES"))

    transact(city.services.engine, as_if_placed)
    with city.services.reading() as session:
        job = get_job(session, city.chips.member, waiting)
        why = limit_waited_for(session.connection(), job, job.spec)
        first = get_job(session, city.chips.member, running)
        assert limit_waited_for(session.connection(), first, first.spec) is None
    assert why is not None
    assert (why.limit, why.owner_kind, why.owner, why.value, why.in_use, why.raised_by) == (
        "h100 GPUs in use at once",
        LimitOwner.PROJECT,
        "chips",
        3,
        2,
        "the manager of your organisation",
    )


def test_what_many_owners_have_in_use_is_what_each_has(city: City) -> None:
    chips, rivals = city.chips, city.rivals
    jobs = [submit(city, gpus=gpus) for gpus in (0, 1, 2, 2, 4)]
    with city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id).in_(jobs[:4])).values(tasks_running=3))
        connection.execute(update(Job).where(col(Job.id) == jobs[1]).values(user_id=chips.lead.user_id))
        elsewhere = {"project_id": rivals.project_id, "organisation_id": rivals.organisation_id}
        connection.execute(update(Job).where(col(Job.id) == jobs[2]).values(elsewhere))
        connection.execute(update(Job).where(col(Job.id) == jobs[4]).values(phase=Phase.SETTLED))
    people = (chips.member, chips.lead, rivals.member)
    owners = [
        *(Owner(LimitOwner.USER, one.user_id, "") for one in people),
        *(
            Owner(LimitOwner.MEMBER, one.user_id, "", tenant.project_id)
            for one in people
            for tenant in (chips, rivals)
        ),
        *(Owner(LimitOwner.PROJECT, tenant.project_id, "") for tenant in (chips, rivals)),
        *(Owner(LimitOwner.ORGANISATION, tenant.organisation_id, "") for tenant in (chips, rivals)),
    ]
    with city.services.engine.connect() as connection:
        found = in_use_of_each(connection, owners)
        for owner in owners:
            counted = select(func.count(), func.sum(col(Job.tasks_running))).where(
                jobs_of(owner), under_way()
            )
            queued, running = connection.execute(counted).one()
            assert (found[owner].jobs_queued, found[owner].jobs_running) == (queued, running or 0)
            assert in_use_of_each(connection, [owner]) == {owner: found[owner]}
        assert in_use_of_each(connection, []) == {}
    assert found[owners[0]] == InUse(3, 9, {"h100": 12})  # one without GPUs, two with 2 each
