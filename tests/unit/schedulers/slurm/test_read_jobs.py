"""Records of slurmctld and slurmdbd become runs whose ends are told as they were."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schedulers.jobstate import ExitCode, JobState, StateFlag
from schedulers.slurm.read_jobs import Owner, read_past, read_record
from schedulers.slurm.read_states import read_gpu_indices, read_state
from schedulers.slurm.wire import SlurmJob
from schedulers.slurm.wire_accounting import AccountedJob

KEY = "01a2b3c4-0000-7000-8000-000000000001"
OTHER_COMMENT = f"hpc-portal:{KEY[:-1]}2"
START = 1_795_664_000
OURS = {"812": Owner(UUID(KEY), "an")}


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


def record(**said: Any) -> SlurmJob:  # noqa: ANN401 - fields of a reply
    facts = {"job_id": 812, "user_name": "an", "name": "sim", "comment": f"hpc-portal:{KEY}"}
    return SlurmJob.model_validate(facts | said)


def accounted(
    state: Sequence[str],
    *,
    start: int | None = 0,
    end: int | None = 10,
    batch: Mapping[str, Any] | None = None,
    **said: Any,  # noqa: ANN401 - fields of a reply
) -> AccountedJob:
    facts: dict[str, Any] = {
        "job_id": 812,
        "user": "an",
        "name": "sim",
        "comment": {"job": f"hpc-portal:{KEY}"},
        "nodes": "gpu01" if start is not None else "None assigned",
        "state": {"current": list(state), "reason": "None"},
        "time": {
            "submission": START,
            "start": 0xFFFFFFFE if start is None else START + start,
            "end": 0 if end is None else START + end,
            "elapsed": (end or 0) - (start or 0),
        },
        "tres": {"allocated": [{"type": "cpu", "count": 4}, {"type": "mem", "count": 64}]},
        "steps": [{"step": {"id": "812.batch"}, **batch}] if batch else [],
    }
    return AccountedJob.model_validate(facts | said)


def exit_with(code: int = 0, signal: int | None = None) -> dict[str, Any]:
    number = {"set": True, "infinite": False, "number": code}
    return {"return_code": number, "signal": {"id": {"set": signal is not None, "number": signal or 0}}}


@pytest.mark.parametrize(
    ("words", "base", "flags"),
    [
        (["RUNNING"], JobState.RUNNING, set()),
        (["CANCELLED", "COMPLETING"], JobState.CANCELLED, {StateFlag.COMPLETING}),
        (["RUNNING", "CONFIGURING"], JobState.RUNNING, {StateFlag.CONFIGURING}),
        (["PENDING", "REQUEUED"], JobState.PENDING, {StateFlag.REQUEUED}),
        (["COMPLETED", "STAGE_OUT"], JobState.COMPLETED, {StateFlag.COMPLETING}),
        (["PENDING", "REQUEUE_HOLD", "SPECIAL_EXIT"], JobState.PENDING, set()),
        (["OUT_OF_MEMORY"], JobState.OUT_OF_MEMORY, set()),
        ([], JobState.UNKNOWN, set()),
        (["FROZEN"], JobState.UNKNOWN, set()),
        (["COMPLETED", "FROZEN"], JobState.UNKNOWN, set()),
        (["COMPLETED", "FAILED"], JobState.UNKNOWN, set()),
    ],
)
def test_what_slurm_says_is_read_word_by_word_and_never_guessed(
    words: list[str], base: JobState, flags: set[StateFlag]
) -> None:
    state = read_state(words)
    assert state.base is base
    assert state.flags == flags
    assert state.has_ended == (base.is_terminal and StateFlag.COMPLETING not in flags)


def test_a_running_record_is_a_run_with_its_gpus() -> None:
    read = read_record(
        record(
            job_state=["RUNNING"],
            nodes="gpu[01-02]",
            gres_detail=["gpu:h100:3(IDX:0-1,5)", "gpu:h100:1(IDX:7)"],
            start_time=START,
            end_time=START + 600,
            restart_cnt=2,
        )
    )
    assert read.run
    assert (read.run.attempt, read.run.nodes, read.run.ended_at) == (2, ("gpu01", "gpu02"), None)
    assert read.run.gpu_indices == {"gpu01": (0, 1, 5), "gpu02": (7,)}
    assert read.run.exit_code is None
    assert read.owner.user == "an"


def test_gpus_are_told_only_where_slurm_tells_them() -> None:
    assert read_gpu_indices(["gpu01"], []) is None
    assert read_gpu_indices(["gpu01"], ["gpu:h100:1(IDX:N/A)"]) is None


def test_a_record_that_still_completes_has_not_ended() -> None:
    read = read_record(record(job_state=["FAILED", "COMPLETING"], nodes="n1", start_time=START))
    assert read.run
    assert not read.run.has_ended


def test_cancelled_before_its_start_is_no_run_but_the_end_of_an_attempt_is() -> None:
    facts = {"job_state": ["CANCELLED"], "start_time": START, "end_time": START}
    assert read_record(record(**facts)).run is None
    again = read_record(record(**facts, restart_cnt=1)).run
    assert again
    assert (again.attempt, again.started_at, again.ended_at) == (1, None, at(0))


def test_other_ends_before_a_start_are_told() -> None:
    run = read_record(record(job_state=["DEADLINE"], state_reason="DeadLine", end_time=START)).run
    assert run
    assert (run.state, run.started_at, run.reason) == (JobState.DEADLINE, None, "DeadLine")


def test_the_rest_of_an_array_has_no_task_index() -> None:
    read = read_record(
        record(
            array_job_id=812, array_task_id={"set": False}, array_task_string="3-9%2", job_state=["PENDING"]
        )
    )
    assert (read.job_id, read.raw_id, read.task_index, read.run) == ("812", "812", None, None)
    task = read_record(
        record(job_id=815, array_job_id=812, array_task_id=0, job_state=["RUNNING"], nodes="n1")
    )
    assert (task.job_id, task.raw_id, task.task_index) == ("812", "815", 0)


def test_two_jobs_with_the_same_number_are_told_apart_by_our_key() -> None:
    one = read_record(record(submit_time=START)).owner
    assert one.may_be(one)
    assert one.may_be(Owner(None, "an", "sim", at(9)))
    assert not one.may_be(Owner(None, "binh", "sim", at(0)))
    assert not one.may_be(Owner(None, "an", "lint", at(9)))
    theirs = record(comment=OTHER_COMMENT, submit_time=START + 9)
    assert not one.may_be(read_record(theirs).owner)


@pytest.mark.parametrize("changed", [{"comment": OTHER_COMMENT}, {"comment": "mine", "name": "renamed"}])
def test_a_job_whose_comment_and_name_were_changed_is_the_same_job(changed: dict[str, Any]) -> None:
    one = read_record(record(submit_time=START)).owner
    assert one.may_be(read_record(record(submit_time=START, **changed)).owner)
    assert one.may_be(read_record(record(submit_time=START + 60, restart_cnt=1, **changed)).owner)
    assert not one.may_be(read_record(record(submit_time=START + 60, **changed)).owner)


def test_the_attempts_of_a_job_belong_together_whatever_its_comment_was_changed_to() -> None:
    again = {"submission": START + 100, "start": START + 130, "end": START + 140, "elapsed": 10}
    runs = read_past(
        [
            accounted(["COMPLETED"], time=again, comment={"job": OTHER_COMMENT}, restart_cnt=1),
            accounted(["NODE_FAIL"]),
        ],
        OURS,
    )
    assert [run.attempt for run in runs] == [0, 1]
    assert runs[0].owner.may_be(runs[1].owner)


def test_a_requeued_attempt_ended_as_its_script_did() -> None:
    script = {"state": ["FAILED"], "exit_code": exit_with(75)}
    first, second = read_past(
        [
            accounted(["COMPLETED"], start=20, end=30, restart_cnt=1),
            accounted(["PENDING", "REQUEUED"], batch=script),
        ][::-1],
        OURS,
    )
    assert first.run
    assert (first.run.state, first.run.exit_code) == (JobState.FAILED, ExitCode(75))
    assert first.run.flags == {StateFlag.REQUEUED}
    assert first.is_certain
    assert second.run
    assert (second.run.attempt, second.run.flags) == (1, frozenset())


def test_an_attempt_that_its_node_took_down_is_node_fail() -> None:
    (lost,) = read_past([accounted(["PENDING", "REQUEUED"], failed_node="gpu01")], OURS)
    assert lost.run
    assert lost.run.state is JobState.NODE_FAIL


def test_how_a_requeued_attempt_ended_is_uncertain_until_its_script_is_known() -> None:
    (early,) = read_past([accounted(["PENDING", "REQUEUED"])], OURS)
    assert not early.is_certain


def test_without_restart_counts_the_order_of_submission_counts() -> None:
    later = {"submission": START + 100, "start": START + 130, "end": START + 140, "elapsed": 10}
    runs = read_past([accounted(["COMPLETED"], time=later), accounted(["NODE_FAIL"])], OURS)
    assert [(run.attempt, run.run and run.run.state) for run in runs] == [
        (0, JobState.NODE_FAIL),
        (1, JobState.COMPLETED),
    ]
    assert runs[0].run
    assert runs[0].run.flags == {StateFlag.REQUEUED}


def test_an_older_job_with_the_same_number_is_left_out() -> None:
    old = accounted(["COMPLETED"], comment={"job": f"hpc-portal:{KEY[:-1]}9"})
    later = {"submission": START + 100, "start": START + 130, "end": START + 140, "elapsed": 10}
    (run,) = read_past([old, accounted(["FAILED"], time=later)], OURS)
    assert (run.attempt, run.run and run.run.state) == (0, JobState.FAILED)


def test_a_newer_job_with_the_same_number_is_left_out_where_it_is_known_which_one_is_meant() -> None:
    later = {"submission": START + 100, "start": START + 130, "end": START + 140, "elapsed": 10}
    requeued, ended = (
        accounted(["PENDING", "REQUEUED"], failed_node="n1"),
        accounted(["FAILED"], restart_cnt=1),
    )
    other = accounted(["COMPLETED"], time=later, comment={"job": OTHER_COMMENT})
    runs = read_past([requeued, ended, other], OURS)
    assert [(run.attempt, run.run and run.run.state) for run in runs] == [
        (0, JobState.NODE_FAIL),
        (1, JobState.FAILED),
    ]
    theirs = {"812": Owner(UUID(OTHER_COMMENT.removeprefix("hpc-portal:")), "an")}
    (run,) = read_past([requeued, ended, other], theirs)
    assert (run.attempt, run.run and run.run.state) == (0, JobState.COMPLETED)


def test_the_attempts_of_a_job_belong_together_before_slurmdbd_has_the_last_ones_comment() -> None:
    again = {"submission": START + 100, "start": 0, "end": 0, "elapsed": 0}
    waits = accounted(["PENDING"], time=again, comment={"job": ""}, restart_cnt=1)
    first, second = read_past([waits, accounted(["PENDING", "REQUEUED"], failed_node="gpu01")], OURS)
    assert (first.attempt, first.has_ended) == (0, True)
    assert (second.attempt, second.has_ended) == (1, False)


def test_where_slurmdbd_keeps_no_comments_the_folder_tells_whose_job_it_is() -> None:
    ours = accounted(["FAILED"], comment={"job": ""}, working_directory=f"/work/uni/lab/an/{KEY}/run")
    later = {"submission": START + 100, "start": START + 130, "end": START + 140, "elapsed": 10}
    by_hand = accounted(
        ["COMPLETED"], comment={"job": ""}, working_directory="/home/an", time=later, name="hand"
    )
    (run,) = read_past([ours, by_hand], {"812": Owner(UUID(KEY), "an", known_at=at(-7200))})
    assert run.run
    assert run.run.state is JobState.FAILED


def test_a_record_without_an_end_has_not_ended() -> None:
    (run,) = read_past([accounted(["RUNNING"], end=None)], OURS)
    assert (run.has_ended, run.run) == (False, None)


def test_the_signal_of_a_cancelled_run_is_its_scripts() -> None:
    script = {"state": ["CANCELLED"], "exit_code": exit_with(signal=15)}
    (run,) = read_past([accounted(["CANCELLED"], batch=script)], OURS)
    assert run.run
    assert run.run.exit_code == ExitCode(0, 15)


def test_usage_counts_what_was_allocated_and_at_least_a_second() -> None:
    allocated = [
        {"type": "cpu", "count": 8},
        {"type": "mem", "count": 4096},
        {"type": "node", "count": 1},
        {"type": "billing", "count": 8},
        {"type": "energy", "count": -2},
        {"type": "gres", "name": "gpu:h100", "count": 2},
        {"type": "gres", "name": "shard", "count": 2},
        {"type": "license", "name": "vcs", "count": 1},
    ]
    script = {
        "state": ["COMPLETED"],
        "time": {"total": {"seconds": 3, "microseconds": 500_000}},
        "statistics": {"energy": {"consumed": {"set": True, "number": 1200}}},
        "tres": {
            "requested": {"max": [{"type": "mem", "count": 3 * 1024**2 + 1}]},
            "consumed": {"max": [{"type": "fs", "name": "disk", "count": 9 * 1024**2}]},
        },
    }
    (run,) = read_past([accounted(["COMPLETED"], end=0, tres={"allocated": allocated}, batch=script)], OURS)
    assert run.run
    usage = run.run.usage
    assert usage
    assert usage.elapsed_seconds == 1
    assert usage.allocated_tres == {
        "cpu": 8,
        "mem": 4096,
        "node": 1,
        "gres/gpu:h100": 2,
        "gres/gpu": 2,
        "license/vcs": 1,
    }
    assert (usage.cpu_seconds, usage.max_rss_mib, usage.energy_joules) == (3.5, 4, 1200)


def test_what_never_started_used_nothing() -> None:
    (run,) = read_past([accounted(["DEADLINE"], start=None)], OURS)
    assert run.run
    assert run.run.usage
    assert (run.run.usage.started_at, run.run.usage.elapsed_seconds) == (None, 0)
    assert run.run.usage.allocated_tres == {}
    (cancelled,) = read_past([accounted(["CANCELLED"], start=None)], OURS)
    assert (cancelled.has_ended, cancelled.run) == (True, None)
