"""Slurm's numbers keep their three cases, and what is strange in a reply breaks nothing else."""

from datetime import UTC, datetime

import pytest

from schedulers.slurm.dialect import read_models, sort_out
from schedulers.slurm.wire import JobMark, SlurmJob, Unlimited, read_instant, read_number
from schedulers.slurm.wire_accounting import AccountedJob, SlurmQos


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"set": True, "infinite": False, "number": 60}, 60),
        ({"set": True, "infinite": False, "number": 0}, 0),
        ({"set": False, "infinite": False, "number": 0}, None),
        ({"set": False, "infinite": True, "number": 0}, Unlimited.UNLIMITED),
        ({"set": True, "infinite": True, "number": 0}, Unlimited.UNLIMITED),
        ({"set": True, "infinite": False, "number": float("inf")}, None),
        ({"set": True, "infinite": False, "number": 1.0}, 1),
        (60, 60),
        (None, None),
        (True, None),
        ("60", None),
    ],
)
def test_set_unset_and_infinite_are_three_things(sent: object, read: int | Unlimited | None) -> None:
    assert read_number(sent) == read


def test_an_instant_that_is_not_there_is_none() -> None:
    assert read_instant({"set": True, "infinite": False, "number": 1_790_000_000}) == datetime(
        2026, 9, 21, 14, 13, 20, tzinfo=UTC
    )
    assert read_instant(1_790_000_000) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    for nothing in (
        0,
        {"set": False, "infinite": False, "number": 0},
        {"set": False, "infinite": True},
        None,
    ):
        assert read_instant(nothing) is None
    assert read_instant(0xFFFFFFFE) is None


def test_a_record_that_cannot_be_read_is_left_out_and_spoils_no_other() -> None:
    assert [
        job.job_id for job in read_models(SlurmJob, [{"job_id": 1}, {"name": "no id"}, {"job_id": 3}])
    ] == [
        1,
        3,
    ]


def test_records_that_cannot_be_read_are_told_apart_and_not_dropped() -> None:
    unreadable_elsewhere = {"job_id": 1, "comment": "hpc-portal:x", "restart_cnt": "a few"}
    unreadable: dict[str, object] = {"job_id": 2, "comment": {"new": "shape"}}
    marks, left = sort_out(JobMark, [unreadable_elsewhere, unreadable])
    assert ([mark.comment for mark in marks], left) == (["hpc-portal:x"], [unreadable])


def test_fields_that_are_new_null_or_missing_break_nothing() -> None:
    job = SlurmJob.model_validate({"job_id": 7, "nodes": None, "invented_in_2030": {"a": [1]}})
    assert (job.nodes, job.job_state, job.array_job_id) == ("", (), None)


def test_a_signal_is_read_from_inside_the_exit_code() -> None:
    code = {
        "status": ["SIGNALED"],
        "return_code": {"set": False, "infinite": False, "number": 0},
        "signal": {"id": {"set": True, "infinite": False, "number": 15}, "name": "Terminated"},
    }
    job = SlurmJob.model_validate({"job_id": 7, "exit_code": code})
    assert (job.exit_code.return_code, job.exit_code.signal_id) == (None, 15)


def test_an_amount_that_slurm_does_not_know_is_no_amount() -> None:
    run = AccountedJob.model_validate(
        {
            "job_id": 7,
            "nodes": "None assigned",
            "comment": {"job": "hpc-portal:x", "administrator": ""},
            "time": {"total": {"seconds": 2, "microseconds": 500_000}},
            "tres": {"allocated": [{"type": "cpu", "count": 4}, {"type": "energy", "count": -2}]},
        }
    )
    assert [(one.type, one.count) for one in run.tres.allocated] == [("cpu", 4)]
    assert (run.nodes, run.comment, run.time.total_seconds) == ("", "hpc-portal:x", 2.5)


def test_limits_of_a_qos_are_found_where_slurm_puts_them() -> None:
    limits = {
        "max": {
            "tres": {"minutes": {"total": [{"type": "gres", "name": "gpu", "count": 120}]}},
            "wall_clock": {"per": {"job": {"set": True, "infinite": False, "number": 31}}},
            "active_jobs": {"count": {"set": False, "infinite": True, "number": 0}},
        }
    }
    qos = SlurmQos.model_validate({"name": "q", "limits": limits})
    assert [(one.name, one.count) for one in qos.grp_tres_minutes] == [("gpu", 120)]
    assert (qos.max_wall_minutes_per_job, qos.grp_jobs) == (31, Unlimited.UNLIMITED)
