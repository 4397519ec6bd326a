"""Every API version has its small step, and what a version cannot do is refused instead of dropped."""

from itertools import islice

import pytest

from schedulers.slurm import versions
from schedulers.slurm.errors import SlurmRefused
from schedulers.slurm.versions import Ability, Kind


def test_known_versions_are_tried_newest_first_then_the_nearest_unknown_one() -> None:
    assert list(islice(versions.candidates(), 8)) == [45, 44, 43, 42, 41, 40, 46, 47]


def test_each_version_but_the_newest_has_a_step_to_the_next() -> None:
    assert sorted(versions._STEPS) == list(range(versions.OLDEST, versions.NEWEST))


@pytest.mark.parametrize("version", [45, 46, 59])
def test_records_of_the_newest_version_and_of_unknown_ones_stay_as_they_are(version: int) -> None:
    records = [{"job_id": 1, "standard_output": "%j.out", "nodes": "gpu01", "licenses": "vcs:1"}]
    assert versions.lift(Kind.JOB, list(records), version) == records


def test_steps_add_up_from_the_oldest_version() -> None:
    old = {
        "job_id": 1,
        "nodes": "gpu01",
        "licenses": "vcs:1",
        "standard_output": "/w/slurm-1.out",
        "standard_error": "/w/slurm-1.out",
    }
    (job,) = versions.lift(Kind.JOB, [old], 40)
    assert (job["stdout_expanded"], job["stderr_expanded"]) == ("/w/slurm-1.out", "")
    assert job["licenses_allocated"] == "vcs:1"


def test_a_job_that_waits_has_no_licence_allocated() -> None:
    (job,) = versions.lift(Kind.JOB, [{"job_id": 1, "nodes": "", "licenses": "vcs:1"}], 42)
    assert job["licenses_allocated"] == ""


def test_an_association_had_an_object_for_its_id() -> None:
    (lifted,) = versions.lift(Kind.ASSOCIATION, [{"id": {"id": 13, "account": "chips"}}], 40)
    assert lifted["id"] == 13
    (as_it_is,) = versions.lift(Kind.ASSOCIATION, [{"id": 13}], 41)
    assert as_it_is["id"] == 13


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"pinged": "UP", "mode": "primary"}, {"responding": True, "primary": True}),
        ({"pinged": "DOWN", "mode": "backup1"}, {"responding": False, "primary": False}),
    ],
)
def test_a_ping_had_words_where_it_has_booleans(old: dict[str, str], new: dict[str, bool]) -> None:
    assert versions.lift(Kind.PING, [old], 41) == [{**old, **new}]


def test_what_a_version_cannot_do_is_refused_with_the_version_that_can() -> None:
    versions.require(Ability.REQUEUE, 45)
    versions.require(Ability.GROUP_TRES_MINUTES, 42)
    with pytest.raises(SlurmRefused, match=r"speaks v0\.0\.44, which cannot requeue jobs; v0\.0\.45 can"):
        versions.require(Ability.REQUEUE, 44)
    with pytest.raises(SlurmRefused, match=r"GrpTRESMins of a QOS; v0\.0\.42 can"):
        versions.require(Ability.GROUP_TRES_MINUTES, 41)


def test_a_job_field_that_an_old_version_would_drop_is_refused() -> None:
    versions.require_job_fields({"name": "x", "oom_kill_step": 1}, 42)
    with pytest.raises(SlurmRefused, match=r"does not know the job field 'oom_kill_step'; v0\.0\.42 does"):
        versions.require_job_fields({"name": "x", "oom_kill_step": 1}, 40)
