"""Ids rise with time, and no two are the same, whichever thread or forked process made them."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hpc_portal.app.ids import first_id_at, new_id


def test_ids_rise_and_are_of_version_7() -> None:
    made = [new_id() for _ in range(2000)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: new_id(), range(4000)))
    assert len(set(made)) == len(made)


def test_a_forked_process_makes_other_ids() -> None:
    new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(new_id().bytes for _ in range(100)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        text = told.read()
    os.waitpid(child, 0)
    theirs = {UUID(bytes=text[start : start + 16]).int & (1 << 62) - 1 for start in range(0, len(text), 16)}
    ours = {new_id().int & (1 << 62) - 1 for _ in range(300)}
    assert len(theirs) == 100
    assert theirs.isdisjoint(ours)


def test_the_first_id_of_an_instant_is_below_all_that_follow() -> None:
    now = datetime.now(UTC)
    assert first_id_at(now - timedelta(seconds=1)) < new_id() < first_id_at(now + timedelta(days=1))
