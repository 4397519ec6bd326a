"""What the portal is late with waits for its administrators, until it is caught up with."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.home import attention
from hpc_portal.app.home.attention import Matter, needs_attention
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.track import track_once
from hpc_portal.app.notices.tables import Mail, WebhookDelivery
from hpc_portal.app.settings import SmtpSettings
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec


def late(story: Story, **changed: Any) -> dict[Matter, tuple[int, datetime | None]]:  # noqa: ANN401 - settings
    """Count and age of what waits now, under other settings."""
    services = story.city.services
    services = replace(services, settings=services.settings.model_copy(update=changed))
    with services.reading() as session:
        found = needs_attention(services, session, OPERATOR)
    return {one.matter: (one.count, one.since) for one in found.waiting if one.count}


def test_a_job_that_no_cluster_hears_of_is_told_after_five_minutes(story: Story) -> None:
    submitted_at = story.clock.now()
    story.submit(spec())
    story.clock.advance(299)
    assert Matter.UNDISPATCHED not in late(story)
    story.clock.advance(2)
    assert late(story)[Matter.UNDISPATCHED] == (1, submitted_at)
    story.step()
    assert Matter.UNDISPATCHED not in late(story)


def test_a_run_that_nobody_charges_is_told_after_an_hour(story: Story) -> None:
    story.submit(spec())
    story.step()
    ended_at = story.clock.now()
    story.scheduler.finish_all()
    asyncio.run(track_once(story.context, story.tracker))
    story.clock.advance(3599)
    assert Matter.UNCHARGED not in late(story)
    story.clock.advance(2)
    assert late(story)[Matter.UNCHARGED] == (1, ended_at)
    story.step()
    assert Matter.UNCHARGED not in late(story)


def test_mails_and_webhooks_that_nobody_sends_are_told_together(story: Story) -> None:
    now = story.clock.now()
    due = {"id": new_id(), "key": "test", "locale": "vi", "kind": "job.ended", "created_at": now}
    mail = due | {"address": "lan@dsac.example", "not_before": now - timedelta(minutes=61)}
    post = due | {
        "user_id": story.city.chips.lead.user_id,
        "facts": {},
        "not_before": now - timedelta(hours=2),
    }
    tried = post | {"id": new_id(), "key": "tried", "not_before": now + timedelta(minutes=1)}

    def write(connection: Connection) -> None:
        connection.execute(insert(Mail).values(mail))
        connection.execute(insert(WebhookDelivery).values([post, tried]))

    transact(story.city.services.engine, write)
    smtp = SmtpSettings(host="mail.example", sender="hpc@danang.example")
    assert late(story, smtp=smtp)[Matter.OUTBOX] == (2, now - timedelta(hours=2))
    assert late(story, smtp=None)[Matter.OUTBOX] == (1, now - timedelta(hours=2)), "it sends no mail at all"


@pytest.mark.parametrize(
    ("enough", "expected"), [(1.0, (1, None)), (0.0, None)], ids=["too-little", "enough"]
)
def test_little_room_on_the_workspaces_disk_is_told(
    story: Story, monkeypatch: pytest.MonkeyPatch, enough: float, expected: tuple[int, None] | None
) -> None:
    """This machine's real disk; what counts as enough is moved."""
    story.city.services.settings.effective_workspace_root.mkdir(exist_ok=True)
    monkeypatch.setattr(attention, "_DISK_LEFT", enough)
    assert late(story).get(Matter.DISK) == expected
