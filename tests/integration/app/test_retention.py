"""What is over goes, in small batches; the ledger, the audit log and what somebody disputes stay."""

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.accounts.revoke_token import revoke_token
from hpc_portal.app.accounts.tables import SignInFailures
from hpc_portal.app.audit_log import tables as audit_tables
from hpc_portal.app.audit_log.verify import verify_chain
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.db import transact
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.tables import Mail, WebhookDelivery
from hpc_portal.app.retention import rows
from hpc_portal.app.retention.look import let_go, what_is_over
from hpc_portal.app.retention.rows import KINDS
from hpc_portal.app.retention.step import RetentionStep
from hpc_portal.app.settings import RetentionSettings
from hpc_portal.app.tables import JobEvent, User
from hpc_portal.auth.sessions import open_session
from quotas.table_modules import TABLE_MODULES as LEDGER
from quotas.tables import table_of
from schedulers.jobspec import JobSpec
from tests.integration.app.conftest import Story

DAY = 86_400
SOON = RetentionSettings(
    job_files_days=30,
    notices_days=30,
    mails_days=30,
    deliveries_days=30,
    ended_tokens_days=30,
)


def run(story: Story, settings: RetentionSettings = SOON) -> int:
    """A whole round of the controller; how many steps it took."""
    step, steps = RetentionStep(story.context, settings), 1
    while asyncio.run(_once(step)):
        steps += 1
    return steps


async def _once(step: RetentionStep) -> bool:
    return await step()


def over(story: Story, settings: RetentionSettings = SOON) -> dict[str, int]:
    services = story.city.services
    found = what_is_over(services.engine, story.context.workspace_root, settings, at=story.clock.now())
    return {one.kind: one.count for one in found if one.count}


def ended_job(story: Story) -> tuple[UUID, Path]:
    """One that ran, was charged, and left a file and a link."""
    job_id = story.submit(JobSpec(name="a", argv=["true"]))
    story.step()
    with story.city.services.reading() as session:
        job = get_job(session, story.city.chips.member, job_id)
    folder = prepare_workspace(story.context.workspace_root, job.workspace, job.spec)
    (folder / "deep").mkdir()
    (folder / "deep" / "result.txt").write_text("42\n")
    (folder / "out").symlink_to(story.context.workspace_root)
    story.scheduler.advance(100)
    story.scheduler.finish_all()
    story.step()
    return job_id, folder


def counts(story: Story, modules: tuple[Any, ...]) -> dict[str, int]:
    tables = [
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, SQLModel) and hasattr(found, "__table__")
    ]
    with story.city.services.engine.connect() as connection:
        return {
            table_of(table).name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }


def furnish(story: Story) -> None:
    """Something of each kind, and a token that stays."""
    services, chips = story.city.services, story.city.chips
    now = services.clock.now()
    open_session(services, chips.member.user_id)
    revoke_token(services, chips.member, issue_token(services, chips.member, name="gone").id)
    issue_token(services, chips.member, name="stays")

    def work(connection: Connection) -> None:
        is_member = col(User.id) == chips.member.user_id
        connection.execute(update(User).where(is_member).values(email="m@chips.example"))
        facts = {"tenant": "chips", "by": "x", "former": "y", "successor": "z"}
        kind = NoticeKind.LEADERSHIP_HANDED_OVER
        notify(connection, to={chips.member.user_id}, kind=kind, facts=facts, at=now, key="retention")
        connection.execute(update(Mail).values(sent_at=now))
        connection.execute(insert(SignInFailures).values(key="k", failures=3, last_at=now))

    transact(services.engine, work)


def test_each_kind_goes_when_its_time_is_over_and_not_before(story: Story) -> None:
    furnish(story)
    run(story)
    story.clock.advance(29 * DAY)
    kept = {"ended_tokens", "notices", "mails"}
    assert not over(story).keys() & kept
    story.clock.advance(2 * DAY)
    assert over(story) == {
        **dict.fromkeys(kept, 1),
        "sessions": 1,
        "sign_in_failures": 1,
        "notices": over(story)["notices"],
    }
    run(story)
    assert over(story) == {}


def test_to_look_changes_nothing_and_the_operator_lets_go_at_once(story: Story) -> None:
    furnish(story)
    story.clock.advance(31 * DAY)
    before = over(story)
    assert over(story) == before
    services = story.city.services
    gone = let_go(services.engine, story.context.workspace_root, SOON, at=story.clock.now())
    assert {one.kind: one.count for one in gone if one.count} == before
    assert over(story) == {}


def test_ten_years_later_the_ledger_and_the_audit_log_are_as_they_were(story: Story) -> None:
    ended_job(story)
    furnish(story)
    before = counts(story, (*LEDGER, audit_tables))
    assert sum(before.values()) > 10
    story.clock.advance(3650 * DAY)
    run(story)
    assert over(story) == {}
    assert counts(story, (*LEDGER, audit_tables)) == before
    story.require_exact_ledger()
    with story.city.services.engine.connect() as connection:
        assert not verify_chain(connection).broken


def test_nothing_of_the_ledger_of_jobs_or_of_the_audit_log_is_ever_a_kind(story: Story) -> None:
    ours = {table_of(kind.table).name for kind in KINDS}
    assert not ours & counts(story, (*LEDGER, audit_tables)).keys()
    assert not ours & {"job", "job_task", table_of(JobEvent).name}


def test_files_of_an_ended_job_go_and_its_record_stays(story: Story) -> None:
    outside = story.context.workspace_root / "chips-org" / "chips" / ".project" / "files" / "top.v"
    outside.parent.mkdir(parents=True)
    outside.write_text("module top; endmodule\n")
    job_id, folder = ended_job(story)
    story.clock.advance(29 * DAY)
    run(story)
    assert folder.is_dir()
    story.clock.advance(2 * DAY)
    assert over(story) == {"job_files": 1}
    run(story)
    assert not folder.exists()
    assert outside.is_file(), "links lead nowhere, and what people share is theirs"
    assert story.context.workspace_root.is_dir()
    with story.city.services.reading() as session:
        job = get_job(session, story.city.chips.member, job_id)
    assert job.charged_vnd > 0
    assert (job.files_removed_at, job.files_kept_days) == (story.clock.now(), 30)
    assert over(story) == {}


def test_whoever_lets_go_by_hand_leaves_the_same_mark(story: Story) -> None:
    job_id, folder = ended_job(story)
    story.clock.advance(31 * DAY)
    services = story.city.services
    let_go(services.engine, story.context.workspace_root, SOON, at=story.clock.now())
    assert not folder.exists()
    with services.reading() as session:
        job = get_job(session, story.city.chips.member, job_id)
    assert (job.files_removed_at, job.files_kept_days) == (story.clock.now(), 30)


def test_a_folder_that_cannot_be_deleted_leaves_no_mark_and_is_tried_again(story: Story) -> None:
    """A mount in it is busy whoever asks, root too."""
    job_id, folder = ended_job(story)
    story.clock.advance(31 * DAY)
    busy = folder / "deep"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", busy], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        run(story)
        with story.city.services.reading() as session:
            assert get_job(session, story.city.chips.member, job_id).files_removed_at is None
        assert over(story) == {"job_files": 1}
    finally:
        subprocess.run(["umount", busy], check=True)
    story.clock.advance(3600)
    run(story)
    assert not folder.exists()


def test_deliveries_go_so_long_after_they_arrived_or_were_given_up_and_what_waits_stays(
    story: Story,
) -> None:
    now = story.clock.now()
    facts = {"user_id": story.city.chips.member.user_id, "kind": "job.ended", "locale": "vi", "facts": {}}
    plain = {"created_at": now, "not_before": now, "delivered_at": None, "given_up_at": None, "attempts": 1}
    ends: list[dict[str, Any]] = [
        {"key": "arrived", "delivered_at": now},
        {"key": "arrived later", "delivered_at": now + timedelta(days=20)},
        {"key": "given up", "given_up_at": now},
        {"key": "waits"},
    ]
    made = [{"id": new_id(), **facts, **plain, **end} for end in ends]
    transact(story.city.services.engine, lambda connection: connection.execute(insert(WebhookDelivery), made))

    def left() -> set[str]:
        with story.city.services.engine.connect() as connection:
            return set(connection.execute(select(col(WebhookDelivery.key))).scalars())

    story.clock.advance(30 * DAY - 1)
    assert "deliveries" not in over(story)
    story.clock.advance(1)
    assert over(story)["deliveries"] == 2
    run(story)
    assert left() == {"arrived later", "waits"}
    story.clock.advance(3650 * DAY)
    run(story)
    assert left() == {"waits"}, "whatever was not posted yet is nobody's to drop"


def test_without_the_setting_files_of_jobs_stay_for_ever(story: Story) -> None:
    _, folder = ended_job(story)
    story.clock.advance(3650 * DAY)
    never = SOON.model_copy(update={"job_files_days": None})
    run(story, never)
    assert folder.is_dir()
    assert "job_files" not in over(story, never)


def test_files_of_a_job_under_way_or_in_dispute_stay(story: Story) -> None:
    job_id, folder = ended_job(story)
    running = story.submit(JobSpec(name="runs", argv=["true"]))
    story.step()
    with story.city.services.reading() as session:
        job = get_job(session, story.city.chips.member, running)
    runs_in = prepare_workspace(story.context.workspace_root, job.workspace, job.spec)
    transact(story.city.services.engine, lambda connection: dispute(story, connection, job_id))
    story.clock.advance(3650 * DAY)
    run(story)
    assert folder.is_dir()
    assert runs_in.is_dir()


def dispute(story: Story, connection: Connection, job_id: UUID) -> None:
    """Its person asked to get the charge back, and nobody decided."""
    connection.execute(
        insert(RefundCase).values(
            id=new_id(),
            job_id=job_id,
            raised_by=story.city.chips.member.user_id,
            raised_at=story.clock.now(),
            reason="The licence server was gone.",
            asked_percent=100,
            state=RefundCaseState.OPEN,
            decision="",
        )
    )


def test_rows_go_in_small_batches(story: Story) -> None:
    """Each is a short transaction, so that nobody waits for the whole."""
    now = story.clock.now()
    many = [{"key": f"k{number}", "failures": 1, "last_at": now} for number in range(rows.BATCH * 2 + 1)]
    transact(story.city.services.engine, lambda connection: connection.execute(insert(SignInFailures), many))
    story.clock.advance(2 * DAY)
    assert run(story) >= len(KINDS) + 2
    assert over(story) == {}
