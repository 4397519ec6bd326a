"""What a cluster may use follows from the ledger alone, whatever was moved, refunded, carried or expired."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from hpc_portal.app.db import writing
from hpc_portal.app.mirror.wanted import read_wanted
from quotas.adjust_grant import increase
from quotas.expire import carry_over, expire_due
from quotas.grant import grant
from quotas.hold import hold
from quotas.move_budget import move_budget
from quotas.publish_prices import current_price_list
from quotas.refund import refund
from quotas.release import close_hold
from quotas.settle import RunUsage, settle_runs
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story

MINUTE = 60
KNOWN = frozenset({"cpu"})


def used(connection: Connection, story: Story, seconds: int) -> UUID:
    """A job that ended, and was charged for so many CPU-seconds."""
    now, job_id = story.clock.now(), uuid4()
    project_id = story.city.chips.project_id
    prices = current_price_list(connection, now)
    unit = {"cpu": seconds}
    hold(
        connection,
        project_id=project_id,
        job_id=job_id,
        unit=unit,
        units=1,
        partition="cpu",
        price_list=prices,
        at=now,
    )
    run = RunUsage(
        run_key=str(job_id),
        user_id=story.city.chips.member.user_id,
        tres_seconds=unit,
        elapsed_seconds=seconds,
        state=JobState.COMPLETED,
        started_at=now,
        ended_at=now + timedelta(seconds=seconds),
        closes_unit=True,
    )
    settle_runs(connection, job_id=job_id, runs=[run], at=now)
    close_hold(connection, job_id, now)
    return job_id


def test_the_portals_limit_is_what_came_in_less_what_left_and_what_was_refunded(story: Story) -> None:
    now = story.clock.now()
    said: dict[str, Any] = {"actor_id": None, "reason": "a test", "at": now}
    ends_at = now + timedelta(days=30)

    def minutes(connection: Connection, allocation_id: UUID, at: Any = now) -> int | None:  # noqa: ANN401
        wanted = read_wanted(connection, "memory", known=KNOWN, at=at)
        found = [b for n, b in wanted.budgets.items() if n.endswith(allocation_id.hex[:12])]
        return dict(found[0].tres_minutes)["cpu"] if found else None

    with writing(story.city.services.engine).begin() as connection:
        project_id = story.city.chips.project_id
        mine = grant(
            connection,
            project_id=project_id,
            lines={"cpu": 100 * MINUTE},
            valid_from=now,
            valid_to=ends_at,
            overdraft=None,
            idempotency_key="mine",
            **said,
        )
        renewed = grant(
            connection,
            project_id=project_id,
            lines={"cpu": 0},
            valid_from=now,
            valid_to=ends_at + timedelta(days=30),
            overdraft=None,
            idempotency_key="renewed",
            **said,
        )
        assert minutes(connection, mine) == 100
        increase(connection, allocation_id=mine, lines={"cpu": 20 * MINUTE}, key="a", **said)
        assert minutes(connection, mine) == 120
        part = move_budget(
            connection,
            source=mine,
            target_project=project_id,
            lines={"cpu": 15 * MINUTE},
            valid_to=None,
            key="b",
            **said,
        )
        assert (minutes(connection, mine), minutes(connection, part)) == (105, 15)
        job_id = used(connection, story, 40 * MINUTE)
        assert minutes(connection, mine) == 105
        refund(connection, job_id=job_id, percent=50, key="c", **said)
        assert minutes(connection, mine) == 125
        carry_over(connection, source=mine, target=renewed, lines={"cpu": 5 * MINUTE}, key="d", **said)
        assert (minutes(connection, mine), minutes(connection, renewed)) == (120, 5)
        expire_due(connection, at=ends_at)
        assert minutes(connection, mine, ends_at) == 20 + 20
        assert minutes(connection, renewed, ends_at) == 5
        assert read_wanted(connection, "memory", known=KNOWN, at=ends_at) == read_wanted(
            connection, "memory", known=KNOWN, at=ends_at
        )
