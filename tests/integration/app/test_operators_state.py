"""What operators are told before it is needed: standbys, backups, webhooks, the disk, the clock."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app.accounting.check_step import BOOKS, begin_check, finish_check
from hpc_portal.app.backup.last import record_backup
from hpc_portal.app.backup.make_backup import MadeBackup
from hpc_portal.app.backup.manifest import Books, Manifest, SavedFile
from hpc_portal.app.db import transact
from hpc_portal.app.home.attention import Matter
from hpc_portal.app.ids import new_id
from hpc_portal.app.notices.tables import WebhookDelivery
from hpc_portal.app.standbys import say_standing_by, stop_standing_by
from hpc_portal.app.tables import ControllerStandby
from quotas.slice_run import city_day
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec
from tests.integration.app.test_portal_state import told
from tests.integration.app.test_what_is_late import late

HOUR = 3600
LEASE = "controller:memory"


def note_backup(story: Story) -> None:
    """One of 5000 bytes that took 42.5 s and ends now."""
    now, took = story.clock.now(), 42.5
    manifest = Manifest(
        version="1",
        at=now - timedelta(seconds=took),
        dialect="sqlite",
        files=[SavedFile(name="portal.db", size=4000, sha256=""), SavedFile(name="a", size=1000, sha256="")],
        books=Books(revision="1", rows={}, balances_sha256="", available={}, audit_end=""),
    )
    made = MadeBackup(Path("/backup/hpc-portal-1"), manifest)
    record_backup(story.city.services.engine, made, ended_at=now, took_seconds=took)


def test_a_backup_is_late_so_long_after_the_last_one_ended(story: Story) -> None:
    note_backup(story)
    ended_at = story.clock.now()
    story.clock.advance(25 * HOUR)
    assert Matter.BACKUP not in late(story)
    assert told(story, backup_late_hours=26)["hpc_backup_overdue_seconds", ()] == 0
    story.clock.advance(2 * HOUR)
    assert late(story)[Matter.BACKUP] == (1, ended_at)
    assert Matter.BACKUP not in late(story, backup_late_hours=0), "other means save it"
    found = told(story, backup_late_hours=26)
    assert found["hpc_backup_overdue_seconds", ()] == pytest.approx(HOUR, abs=1)
    assert found["hpc_backup_age_seconds", ()] == pytest.approx(27 * HOUR, abs=1)
    assert (found["hpc_backup_size_bytes", ()], found["hpc_backup_took_seconds", ()]) == (5000, 42.5)
    note_backup(story)
    assert Matter.BACKUP not in late(story)


def test_a_portal_that_never_had_a_backup_is_late_once_it_has_something_to_lose(story: Story) -> None:
    story.clock.advance(400 * 24 * HOUR)
    found = told(story, backup_late_hours=26)
    assert found["hpc_backup_overdue_seconds", ()] > 0
    assert ("hpc_backup_age_seconds", ()) not in found
    assert late(story)[Matter.BACKUP][0] == 1


def test_a_standby_is_counted_while_it_says_so_and_no_longer_when_it_died_or_took_over(
    story: Story,
) -> None:
    engine = story.city.services.engine

    def say(holder: str) -> None:
        now = story.clock.now()
        transact(engine, lambda connection: say_standing_by(connection, LEASE, holder=holder, at=now))

    key = ("hpc_controllers_standing_by", (LEASE,))
    assert told(story)[key] == 0
    for holder in ("login-2:17", "login-2:17", "login-3:17"):
        say(holder)
    assert told(story)[key] == 2
    story.clock.advance(40)
    say("login-3:17")
    story.clock.advance(10)
    assert told(story)[key] == 1
    transact(engine, lambda connection: stop_standing_by(connection, LEASE, holder="login-3:17"))
    assert told(story)[key] == 0
    story.clock.advance(2 * 24 * HOUR)
    say("login-4:17")
    with engine.connect() as connection:
        assert connection.execute(select(col(ControllerStandby.holder))).scalars().all() == ["login-4:17"]


def test_webhooks_are_told_by_what_became_of_them_and_by_how_late_the_oldest_is(story: Story) -> None:
    now = story.clock.now()
    posts = [
        {"key": "sent", "delivered_at": now, "attempts": 1},
        {"key": "lost", "given_up_at": now, "attempts": 9},
        {"key": "tried", "attempts": 2, "not_before": now + timedelta(minutes=5)},
        {"key": "due", "not_before": now - timedelta(minutes=20)},
    ]
    facts = {"user_id": story.city.chips.lead.user_id, "kind": "job.ended", "locale": "vi", "facts": {}}
    plain = {"created_at": now, "not_before": now, "delivered_at": None, "given_up_at": None, "attempts": 0}
    rows = [{"id": new_id(), **facts, **plain, **post} for post in posts]

    def write(connection: Connection) -> None:
        connection.execute(insert(WebhookDelivery), rows)

    transact(story.city.services.engine, write)
    found = told(story)
    outcomes = {
        labels[0]: value for (name, labels), value in found.items() if name == "hpc_webhook_deliveries"
    }
    assert outcomes == {"delivered": 1, "given_up": 1, "failing": 1, "waiting": 1}
    assert found["hpc_webhooks_overdue_seconds", ()] == pytest.approx(1200, abs=1)


def test_the_disk_is_told_as_it_is_and_nothing_of_a_folder_that_is_not_there(
    story: Story, tmp_path: Path
) -> None:
    key = ("hpc_workspaces_disk_free_ratio", ())
    assert 0 < told(story, workspaces=tmp_path)[key] < 1
    assert key not in told(story, workspaces=tmp_path / "nowhere")


def test_the_clock_of_a_database_on_this_machine_is_ours(story: Story) -> None:
    found = told(story)
    if story.city.services.engine.dialect.name == "postgresql":
        assert found["hpc_clock_apart_seconds", ()] < 1
    else:
        assert ("hpc_clock_apart_seconds", ()) not in found


def test_a_nightly_check_ages_until_the_next_one_is_finished(story: Story) -> None:
    assert ("hpc_check_age_seconds", ("books",)) not in told(story), "there is nothing to check"
    story.submit(spec())
    story.step()
    story.scheduler.finish_all()
    story.step()
    story.clock.advance(30 * HOUR)
    age = pytest.approx(30 * HOUR, abs=1)
    assert told(story)["hpc_check_age_seconds", ("books",)] == age, "nobody checked since there is something"
    ended_at = story.clock.now() - timedelta(hours=30)
    assert Matter.CHECKS not in late(story)
    story.clock.advance(60)
    age = pytest.approx(30 * HOUR + 60, abs=1)
    assert late(story)[Matter.CHECKS] == (1, ended_at)
    with story.city.services.engine.begin() as connection:
        begin_check(connection, BOOKS, city_day(story.clock.now()))
    assert told(story)["hpc_check_age_seconds", ("books",)] == age, "it was begun and not finished"
    with story.city.services.engine.begin() as connection:
        finish_check(connection, BOOKS, {}, at=story.clock.now())
        finish_check(connection, "cluster:memory", {}, at=story.clock.now())
    story.clock.advance(HOUR)
    assert Matter.CHECKS not in late(story)
    found = told(story)
    assert found["hpc_check_age_seconds", ("books",)] == HOUR
    assert found["hpc_check_age_seconds", ("cluster:memory",)] == HOUR
