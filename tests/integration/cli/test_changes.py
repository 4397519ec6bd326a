"""Jobs under way changed from a terminal, against a real portal with a real node."""

import pytest

from tests.integration.cli.conftest import Person
from tests.integration.cli.test_user import NOT_FOUND, OK, REFUSED, USAGE, eventually, submitted

pytestmark = pytest.mark.xdist_group("cli-changes")


def state_of(person: Person, job_id: str, state: str) -> None:
    eventually(lambda: person.hpc("show", job_id, "--json"), lambda ran: ran.json["state"] == state)


def outcome_of(person: Person, job_id: str) -> list[tuple[str, str]]:
    """Kind and state of each change, newest first, once all are decided."""
    found = eventually(
        lambda: person.hpc("changes", job_id, "--json"),
        lambda ran: all(item["state"] != "requested" for item in ran.json),
    )
    return [(item["change"], item["state"]) for item in found.json]


def blocked(person: Person) -> tuple[str, str]:
    """A job that has all CPUs, and one that waits behind it."""
    blocker = submitted(person, "sleep 600", "--cpus", "4", "--name", "blocker")
    state_of(person, blocker, "RUNNING")
    waiting = submitted(person, "true", "--name", "behind")
    eventually(
        lambda: person.hpc("show", waiting, "--json"),
        lambda ran: (ran.json["pending_reason"] or {}).get("raw") == "Resources",
    )
    return blocker, waiting


def test_a_waiting_job_is_held_and_released(designer: Person) -> None:
    blocker, waiting = blocked(designer)
    shown = designer.hpc("show", waiting).stdout
    assert "Waiting until enough CPUs, memory or GPUs are free. (Resources)" in shown
    assert "Đang chờ đủ CPU" in designer.hpc("--lang", "vi", "show", waiting).stdout
    assert designer.hpc("hold", waiting).code == OK
    assert outcome_of(designer, waiting) == [("hold", "carried")]
    assert "Held by" in designer.hpc("show", waiting).stdout
    again = designer.hpc("hold", waiting)
    assert (again.code, "held already" in again.stderr) == (REFUSED, True)
    assert designer.hpc("cancel", blocker).code == OK
    state_of(designer, blocker, "CANCELLED")
    assert designer.hpc("show", waiting, "--json").json["state"] == "PENDING"
    assert designer.hpc("release", waiting[-10:]).code == OK
    state_of(designer, waiting, "COMPLETED")


def test_a_running_job_gets_more_time_and_is_requeued(designer: Person) -> None:
    job_id = submitted(designer, "sleep 600")
    state_of(designer, job_id, "RUNNING")
    assert designer.hpc("change", job_id, "--time", "10:00").code == OK
    assert outcome_of(designer, job_id) == [("walltime", "carried")]
    job = designer.hpc("show", job_id, "--json").json
    assert job["spec"]["resources"]["walltime_seconds"] == 600
    assert designer.hpc("requeue", job_id).code == OK
    eventually(
        lambda: designer.hpc("tasks", job_id, "--json"),
        lambda ran: [(task["attempt"], task["state"]) for task in ran.json] == [(1, "RUNNING")],
    )
    assert outcome_of(designer, job_id) == [("requeue", "carried"), ("walltime", "carried")]
    assert designer.hpc("cancel", job_id).code == OK


def test_single_tasks_are_cancelled(designer: Person) -> None:
    job_id = submitted(designer, "sleep 600", "--array", "0-3%1")
    state_of(designer, job_id, "RUNNING")
    shown = designer.hpc("show", job_id).stdout
    assert "3 tasks wait:" in shown
    assert designer.hpc("cancel", job_id, "--tasks", "0,2-3").code == OK
    eventually(
        lambda: designer.hpc("tasks", job_id, "--json"),
        lambda ran: (
            {task["task_index"]: task["state"] for task in ran.json}
            == {0: "CANCELLED", 1: "RUNNING", 2: "CANCELLED", 3: "CANCELLED"}
        ),
    )
    wrong = designer.hpc("cancel", job_id, "--tasks", "9")
    assert (wrong.code, "no task 9" in wrong.stderr) == (REFUSED, True)
    assert designer.hpc("cancel", job_id).code == OK


def test_all_that_fit_a_filter_are_cancelled_at_once(designer: Person) -> None:
    blocker, _ = blocked(designer)
    jobs = [submitted(designer, "true", "--name", "bulk-of-jobs") for _ in range(3)]
    options = ("--all", "--state", "pending", "--project", "songhan-fifo", "--name", "bulk-of-jobs")
    asked = designer.hpc("cancel", *options)
    assert (asked.code, "3 jobs fit" in asked.stderr) == (USAGE, True)
    done = designer.hpc("cancel", *options, "--yes", "--json")
    assert sorted(done.json["cancelled"]) == sorted(jobs)
    for job_id in jobs:
        state_of(designer, job_id, "CANCELLED")
    assert designer.hpc("cancel", *options, "--yes", "--json").json == {"cancelled": []}
    assert designer.hpc("show", blocker, "--json").json["state"] == "RUNNING"
    assert designer.hpc("cancel", "--all", "--name", "behind", "--yes").code == OK
    assert designer.hpc("cancel", blocker).code == OK


def test_a_wrong_command_line_changes_nothing(designer: Person) -> None:
    job_id = submitted(designer, "true")
    assert designer.hpc("cancel").code == USAGE
    assert designer.hpc("cancel", job_id, "--all").code == USAGE
    assert designer.hpc("cancel", job_id, "--state", "pending").code == USAGE
    assert designer.hpc("cancel", "--all", "--tasks", "1").code == USAGE
    assert designer.hpc("change", job_id).code == USAGE
    assert designer.hpc("change", job_id, "--time", "soon").code == USAGE
    assert designer.hpc("changes", job_id, "--json").json == []


def test_only_administrators_overtake(designer: Person) -> None:
    blocker, waiting = blocked(designer)
    assert designer.hpc("change", waiting, "--nice", "50").code == OK
    assert designer.hpc("change", waiting, "--nice", "-50").code == REFUSED
    assert outcome_of(designer, waiting) == [("nice", "carried")]
    assert designer.hpc("cancel", blocker, waiting).code == OK


def test_another_tenants_job_cannot_be_changed(designer: Person, rival: Person) -> None:
    job_id = submitted(designer, "sleep 1")
    for command in (("hold", job_id), ("requeue", job_id), ("change", job_id, "--nice", "1")):
        assert rival.hpc(*command).code == NOT_FOUND


def test_ended_jobs_run_again_after_their_price_was_shown(designer: Person) -> None:
    jobs = [submitted(designer, "true", "--name", name) for name in ("first", "second")]
    for job in jobs:
        state_of(designer, job, "COMPLETED")
    refused = designer.hpc("run-again", *jobs)
    assert refused.code == USAGE, "nobody was there to answer"
    assert "₫" in refused.stderr
    made = designer.hpc("run-again", *jobs, "--yes").stdout.split()
    assert len(made) == 2
    for job in made:
        state_of(designer, job, "COMPLETED")
    running = submitted(designer, "sleep 600")
    left = designer.hpc("run-again", running, "--yes")
    assert (left.code, "has not ended" in left.stderr) == (REFUSED, True)
    assert designer.hpc("cancel", running).code == OK
