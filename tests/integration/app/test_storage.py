"""Storage: granted as a line of an allocation, measured in real folders, told, and full at some point."""

import asyncio
import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.change_allocation import resume_allocation, suspend_allocation
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotAllowed, ProjectNotFound
from hpc_portal.app.jobs.estimate import estimate_job
from hpc_portal.app.jobs.submit import SubmitRequest
from hpc_portal.app.mirror.wanted import read_untracked
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.requests.decide import approve_request
from hpc_portal.app.requests.draft import draft_request, wanted_for_shortage
from hpc_portal.app.requests.shortage import Shortage
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.storage.measure_again import measure_again
from hpc_portal.app.storage.measure_step import MeasureStorageStep
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.app.storage.walk import ENTRIES_PER_TURN
from hpc_portal.app.tables import GlobalRole
from quotas.errors import InvalidAmount, StorageExceeded
from quotas.expire import carry_over, expire_due
from quotas.grant import grant
from quotas.measured_storage import Measured, record_storage
from quotas.storage_report import StorageUsed, storage_used
from quotas.storage_standing import StorageStanding
from quotas.storage_tables import StorageSample
from quotas.tables import Project
from schedulers.jobspec import JobSpec
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec

GIB = 2**30
HOUR = timedelta(hours=1)


def give(story: Story, gib: int, *, key: str = "storage", days: int = 30) -> UUID:
    now = story.clock.now()
    return transact(
        story.city.services.engine,
        lambda connection: grant(
            connection,
            project_id=story.city.chips.project_id,
            lines={"storage": gib},
            valid_from=now,
            valid_to=now + timedelta(days=days),
            overdraft=None,
            actor_id=None,
            reason="test",
            idempotency_key=key,
            at=now,
        ),
    )


def lies_there(story: Story, allocated_bytes: int, *, entries: int = 1) -> None:
    """As if a walk had found that."""
    step = MeasureStorageStep(story.context, every=HOUR)
    transact(
        story.city.services.engine,
        lambda connection: step.record(
            connection,
            story.city.chips.project_id,
            "chips",
            Measured(allocated_bytes, entries),
            story.clock.now(),
        ),
    )
    story.clock.advance(2)  # what web processes remember is a second old at most


def measure_all(story: Story, *, entries_per_turn: int = ENTRIES_PER_TURN) -> int:
    """Walk whatever is due; returns how many steps that took."""
    step = MeasureStorageStep(story.context, every=HOUR, entries_per_turn=entries_per_turn)

    async def steps() -> int:
        count = 0
        while await step():
            count += 1
        return count

    return asyncio.run(steps())


def standing(story: Story, actor: Actor | None = None) -> StorageStanding:
    with story.city.services.reading() as session:
        who = actor or story.city.chips.member
        return project_storage(session, who, "chips", at=story.clock.now()).standing


def told(story: Story) -> list[tuple[str, object]]:
    wanted = select(col(Notice.kind), col(Notice.facts)).where(
        col(Notice.user_id) == story.city.chips.lead.user_id
    )
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(wanted.order_by(col(Notice.at), col(Notice.id))).all()
    return [(kind, facts["percent"]) for kind, facts in rows]


def administrator(story: Story) -> Actor:
    return replace(story.city.chips.lead, global_role=GlobalRole.ADMINISTRATOR)


def test_the_controller_measures_what_jobs_have_written(story: Story) -> None:
    job_id = story.submit(
        JobSpec.model_validate({**spec().model_dump(), "argv": None, "script": "#!/bin/sh\n"})
    )
    story.step()
    folder = story.context.workspace_root / story.job(job_id).workspace
    (folder / "big").write_bytes(os.urandom(GIB // 64))
    assert measure_all(story) > 0
    found = standing(story)
    assert found.allocated_bytes >= GIB // 64
    assert (found.granted_gib, found.is_full, found.measured_at) == (None, False, story.clock.now())
    assert measure_all(story) == 0, "the figures are young"
    (folder / "big").unlink()
    story.clock.advance(361)
    assert measure_all(story) > 0, "it takes a moment, so that it is done every six minutes"
    assert standing(story).allocated_bytes < GIB // 64


def test_a_large_workspace_is_walked_once_an_hour(story: Story) -> None:
    lies_there(story, GIB, entries=1_000_000)
    measure_all(story)
    assert standing(story).entries == 1_000_000
    story.clock.advance(3500)
    measure_all(story)
    assert standing(story).entries == 1_000_000
    story.clock.advance(100)
    measure_all(story)
    assert standing(story).entries == 0


def test_a_walk_goes_on_over_many_steps(story: Story, tmp_path: Path) -> None:
    folder = tmp_path / "workspaces" / "chips-org" / "chips"
    folder.mkdir(parents=True)
    for number in range(100):
        (folder / str(number)).touch()
    assert measure_all(story, entries_per_turn=10) >= 10
    assert standing(story).entries == 101


def test_a_walk_that_fails_begins_anew(story: Story) -> None:
    context = replace(story.context, workspace_root=Path("\0"))  # no file system can open that
    step = MeasureStorageStep(context, every=HOUR)

    async def steps() -> None:
        for _ in range(2):
            assert await step()
            with pytest.raises(ValueError, match="null"):
                await step()

    asyncio.run(steps())


def test_a_day_has_one_sample_which_nothing_changes(story: Story) -> None:
    lies_there(story, GIB)
    lies_there(story, 5 * GIB)
    story.clock.advance(86_400)
    lies_there(story, 4 * GIB)
    engine = story.city.services.engine
    with engine.connect() as connection:
        samples = connection.execute(
            select(col(StorageSample.allocated_bytes)).order_by(col(StorageSample.day))
        ).scalars()
        assert list(samples) == [GIB, 4 * GIB]
        assert standing(story).allocated_bytes == 4 * GIB
        since, until = date(2000, 1, 1), date(2100, 1, 1)
        by_project = storage_used(connection, since=since, until=until)
        assert by_project == {story.city.chips.project_id: StorageUsed(2, 5 * GIB)}
        assert by_project[story.city.chips.project_id].average_bytes == 5 * GIB // 2
        by_organisation = storage_used(connection, since=since, until=until, by_organisation=True)
        assert by_organisation == {story.city.chips.organisation_id: StorageUsed(2, 5 * GIB)}
    for statement in (update(StorageSample).values(allocated_bytes=0), delete(StorageSample)):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(statement)


def test_without_a_grant_nothing_is_limited(story: Story) -> None:
    lies_there(story, 500_000 * GIB)
    assert not standing(story).is_full
    story.submit(spec())
    assert told(story) == []


def test_a_full_project_submits_nothing_and_what_runs_goes_on(story: Story) -> None:
    running = story.submit(spec())
    story.step()
    give(story, 100)
    lies_there(story, 100 * GIB)
    with pytest.raises(StorageExceeded, match="100 GiB in its workspace, and 100 GiB of storage") as refusal:
        story.submit(spec())
    estimate = estimate_job(
        story.city.services, story.city.chips.member, SubmitRequest(project="chips", spec=spec())
    )
    assert estimate.obstacles == (str(refusal.value),)
    assert [short.missing for short in estimate.shortages] == [{"storage": 25}]
    story.scheduler.finish(running)
    story.step()
    assert story.job(running).state == "COMPLETED"
    story.require_exact_ledger()
    lies_there(story, 99 * GIB)
    story.submit(spec())


def test_the_refusal_leads_to_a_request_that_makes_room(story: Story) -> None:
    give(story, 100)
    lies_there(story, 120 * GIB)
    with pytest.raises(StorageExceeded) as refusal:
        story.submit(spec())
    short = Shortage.of(refusal.value)
    services, lead = story.city.services, story.city.chips.lead
    wanted = wanted_for_shortage(services, lead, "chips", short.missing)
    assert (wanted.kind, wanted.lines) == (RequestKind.INCREASE, {"storage": 50})
    request = draft_request(services, lead, "chips", replace(wanted, purpose="wave files of the NPU"))
    submit_request(services, lead, request)
    approve_request(services, administrator(story), request)
    story.clock.advance(2)
    assert (standing(story).granted_gib, standing(story).percent) == (150, 80)
    story.submit(spec())
    story.require_exact_ledger()


def test_eighty_and_a_hundred_percent_are_told_once_until_it_was_less(story: Story) -> None:
    give(story, 100)
    for gib in (79, 80, 85, 100, 130, 90, 100, 10, 99):
        lies_there(story, gib * GIB)
    assert told(story) == [
        ("storage.used", 80),
        ("storage.full", 100),
        ("storage.full", 100),
        ("storage.used", 80),
    ]


def test_an_ended_grant_gives_nothing_any_more(story: Story) -> None:
    give(story, 100, days=10)
    give(story, 50, key="more", days=20)
    lies_there(story, 60 * GIB)
    assert standing(story).granted_gib == 150
    story.clock.advance(11 * 86_400)
    assert (standing(story).granted_gib, standing(story).is_full) == (50, True)
    story.clock.advance(10 * 86_400)
    transact(story.city.services.engine, lambda conn: expire_due(conn, at=story.clock.now()))
    assert (standing(story).granted_gib, standing(story).is_full) == (0, True)
    with pytest.raises(StorageExceeded, match="0 GiB of storage are granted"):
        story.submit(spec())
    lies_there(story, 0)
    story.submit(spec())
    story.require_exact_ledger()


def test_a_suspended_grant_gives_nothing_until_it_is_resumed(story: Story) -> None:
    allocation = give(story, 100)
    lies_there(story, 60 * GIB)
    admin = administrator(story)
    suspend_allocation(story.city.services, admin, allocation, reason="an audit")
    story.clock.advance(2)
    with pytest.raises(StorageExceeded):
        story.submit(spec())
    resume_allocation(story.city.services, admin, allocation, reason="it is over")
    story.clock.advance(2)
    story.submit(spec())


def test_no_cluster_is_asked_to_count_storage(story: Story) -> None:
    give(story, 100)
    with story.city.services.engine.connect() as connection:
        assert read_untracked(connection, known=frozenset(), at=story.clock.now()) == []


def test_storage_is_not_carried_over(story: Story) -> None:
    old, new = give(story, 100), give(story, 70, key="renewed")

    def carry(lines: dict[str, int] | None) -> bool:
        return transact(
            story.city.services.engine,
            lambda conn: carry_over(
                conn,
                source=old,
                target=new,
                lines=lines,
                actor_id=None,
                reason="renewal",
                key="x",
                at=story.clock.now(),
            ),
        )

    with pytest.raises(InvalidAmount, match="never carried over"):
        carry({"storage": 10})
    with pytest.raises(Exception, match="Nothing is left"):
        carry(None)


def test_who_works_in_a_project_has_it_measured_again(story: Story) -> None:
    city = story.city
    measure_all(story)
    story.clock.advance(60)
    measure_again(city.services, city.chips.member, "chips")
    assert standing(story).is_waiting
    assert measure_all(story) > 0
    assert not standing(story).is_waiting
    assert measure_all(story) == 0
    with pytest.raises(ProjectNotFound):
        measure_again(city.services, city.rivals.lead, "chips")
    with pytest.raises(ProjectNotFound):
        standing(story, city.rivals.lead)
    auditor = replace(city.chips.lead, global_role=GlobalRole.AUDITOR, projects={}, organisations={})
    with pytest.raises(NotAllowed):
        measure_again(city.services, auditor, "chips")


def test_asking_again_and_again_keeps_nobody_waiting(story: Story) -> None:
    city = story.city
    measure_all(story)
    story.clock.advance(3601)
    step = MeasureStorageStep(story.context, every=HOUR)

    order = []
    for _ in range(3):
        measure_again(city.services, city.chips.member, "chips")
        with city.services.engine.connect() as connection:
            walk = step.next_walk(connection)
        assert walk
        order.append(walk.account)
        transact(
            city.services.engine,
            lambda conn, project=walk.project_id: record_storage(  # type: ignore[misc]
                conn, project, Measured(), at=story.clock.now()
            ),
        )
        story.clock.advance(1)
    assert set(order[:2]) == {"chips", "rivals"}


def test_only_projects_of_the_city_are_walked(story: Story) -> None:
    with story.city.services.engine.connect() as connection:
        projects = connection.execute(select(col(Project.id))).all()
    measure_all(story)
    with story.city.services.engine.connect() as connection:
        assert len(connection.execute(select(col(StorageSample.day))).all()) == len(projects)
