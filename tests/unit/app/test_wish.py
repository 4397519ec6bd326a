"""Wishes come back from the database as they went in."""

from datetime import UTC, datetime

import pytest

from hpc_portal.app.jobs.wish import ChangeKind, change_of, facts_of, kind_of
from schedulers.jobspec import ArraySpec
from schedulers.protocol import (
    CancelTasks,
    HoldJob,
    JobChange,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ALL: tuple[JobChange, ...] = (
    HoldJob(),
    HoldJob(by_administrator=True),
    ReleaseJob(),
    ReleaseJob(by_administrator=True),
    SetWalltime(7200),
    SetNice(-5),
    CancelTasks(ArraySpec(expression="3-7")),
)


@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_change_survives_being_stored(change: JobChange) -> None:
    assert change_of(kind_of(change), facts_of(change), requested_at=NOW) == change


def test_a_requeue_is_told_with_the_instant_of_the_wish() -> None:
    assert change_of(ChangeKind.REQUEUE, {}, requested_at=NOW) == RequeueJob(started_before=NOW)


def test_every_kind_of_change_has_a_name_to_be_stored_under() -> None:
    assert {kind_of(change) for change in (*ALL, RequeueJob())} == set(ChangeKind)
