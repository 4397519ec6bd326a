"""Every field of a JobSpec reaches Slurm's job description, and nothing else does."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.jobspec import DependencyKind, JobSpec
from schedulers.protocol import SchedulerDependency, Submission
from schedulers.slurm.translate import comment_of, job_id_of_comment, job_request

JOB_ID = UUID("01890000-0000-7000-8000-000000000001")


def submission(
    dependencies: tuple[SchedulerDependency, ...] = (),
    *,
    is_held: bool = False,
    **spec: Any,  # noqa: ANN401 - fields of JobSpec
) -> Submission:
    return Submission(
        job_id=JOB_ID,
        spec=JobSpec.model_validate({"name": "sim", "script": "#!/bin/sh\n", **spec}),
        cluster_user="an",
        organisation="uni",
        project="vlsi",
        workspace="/w/100%/job",
        submitted_at=datetime(2026, 11, 26, tzinfo=UTC),
        dependencies=dependencies,
        is_held=is_held,
    )


def number(value: int) -> dict[str, object]:
    return {"set": True, "infinite": False, "number": value}


def test_a_plain_job_asks_for_little_and_leaves_the_rest_to_the_site() -> None:
    request = job_request(submission(partition="eda", resources={"walltime_seconds": 61}))
    script, environment = request.pop("script"), request.pop("environment")
    assert request == {
        "account": "vlsi",
        "comment": f"hpc-portal:{JOB_ID}",
        "cpus_per_task": 1,
        "current_working_directory": "/w/100%/job",
        "maximum_nodes": 1,
        "memory_per_node": number(1024),
        "minimum_nodes": 1,
        "name": "sim",
        "open_mode": ["APPEND"],
        "partition": "eda",
        "requeue": True,
        "standard_output": f"/w/100%%/job/slurm-{JOB_ID}.out",
        "tasks": 1,
        "time_limit": number(2),
    }
    assert str(script).startswith("#!/bin/bash\n")
    assert isinstance(environment, list)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"account": "other"}, {"account": "other"}),
        ({"qos": "high"}, {"qos": "high"}),
        ({"constraint": "a, b|c"}, {"constraints": "a&b|c"}),
        ({"exclusive": True}, {"shared": ["none"]}),
        ({"reservation": "tapeout"}, {"reservation": "tapeout"}),
        ({"nodelist": ["n1"]}, {"required_nodes": ["n1"]}),
        ({"exclude_nodes": ["n2", "n3"]}, {"excluded_nodes": ["n2", "n3"]}),
        ({"begin_at": "2027-01-20T12:34:00Z"}, {"begin_time": number(1_800_448_440)}),
        ({"nice": 7}, {"nice": 7}),
        ({"comment": "for Ha"}, {"comment": f"hpc-portal:{JOB_ID} for Ha"}),
        ({"array": {"expression": "0-9%2"}}, {"array": "0-9%2"}),
        ({"requeue": {"on_node_fail": False}}, {"requeue": False}),
        ({"requeue": {"on_node_fail": False, "on_exit_codes": [75]}}, {"requeue": True}),
        ({"working_directory": "run"}, {"current_working_directory": "/w/100%/job/run"}),
        ({"stderr_path": "err.%u"}, {"standard_error": "/w/100%%/job/err.an"}),
        ({"resources": {"licenses": {"vcs": 2, "dc": 1}}}, {"licenses": "vcs:2,dc:1"}),
        (
            {"resources": {"gpus_per_node": {"h100": 2, "": 1}}},
            {"tres_per_node": "gres/gpu:h100:2,gres/gpu:1"},
        ),
        (
            {"resources": {"nodes": 2, "ntasks": 8, "ntasks_per_node": 4, "cpus_per_task": 3}},
            {"minimum_nodes": 2, "maximum_nodes": 2, "tasks": 8, "tasks_per_node": 4, "cpus_per_task": 3},
        ),
        (
            {"warning_signal": {"name": "SIGUSR1", "seconds_before_end": 90}},
            {
                "kill_warning_signal": "USR1",
                "kill_warning_delay": number(90),
                "kill_warning_flags": ["BATCH_JOB"],
            },
        ),
    ],
)
def test_a_field_reaches_slurm(spec: dict[str, Any], expected: dict[str, object]) -> None:
    request = job_request(submission(**spec))
    assert {name: request.get(name) for name in expected} == expected


def test_each_field_of_a_jobspec_makes_a_difference() -> None:
    """A new field must not be forgotten: it has to be named here, and then to change the request."""
    examples: dict[str, Any] = {
        "name": "other",
        "argv": ("true",),
        "environment": {"A": "1"},
        "working_directory": "run",
        "partition": "eda",
        "account": "other",
        "qos": "high",
        "constraint": "ib",
        "exclusive": True,
        "reservation": "tapeout",
        "nodelist": ("n1",),
        "exclude_nodes": ("n1",),
        "begin_at": datetime(2027, 1, 1, tzinfo=UTC),
        "nice": 1,
        "comment": "note",
        "array": {"expression": "0-1"},
        "requeue": {"on_exit_codes": (75,)},
        "warning_signal": {"seconds_before_end": 9},
        "stdout_path": "out",
        "stderr_path": "err",
        "launch": "first_node",
        "resources": {"nodes": 2, "ntasks": 2, "cpus_per_task": 2},
    }
    written_elsewhere = {"script", "inputs"}  # into the workspace
    known_elsewhere = {"dependencies", "hold"}  # Submission.dependencies and is_held
    done_by_the_portal = {"mail_on"}
    told_by_no_node = {"programs"}
    assert set(JobSpec.model_fields) == {
        *examples,
        *written_elsewhere,
        *known_elsewhere,
        *done_by_the_portal,
        *told_by_no_node,
    }
    two_nodes: dict[str, Any] = {"resources": {"nodes": 2, "ntasks": 2}}
    for name, value in examples.items():
        base: dict[str, Any] = {"script": None, "argv": ("false",)} if name == "argv" else {}
        changed = {**base, name: value}
        if name != "resources":
            base, changed = {**base, **two_nodes}, {**changed, **two_nodes}
        assert job_request(submission(**changed)) != job_request(submission(**base)), name


def test_a_job_that_waits_stays_pending_even_if_it_can_never_start() -> None:
    after = SchedulerDependency(DependencyKind.AFTEROK, "12")
    request = job_request(submission((after, SchedulerDependency(DependencyKind.AFTERCORR, "13"))))
    assert request["dependency"] == "afterok:12,aftercorr:13"
    assert request["flags"] == ["NO_KILL_INVALID_DEPENDENCY"]


def test_only_the_portal_says_whether_a_job_is_held_now() -> None:
    assert job_request(submission(is_held=True))["hold"] is True
    assert "hold" not in job_request(submission(hold=True)), "it was released since"


def test_an_array_leaves_to_slurm_what_differs_among_its_tasks() -> None:
    request = job_request(submission(array={"expression": "0-9"}, stdout_path="o/%x_%A_%3a%%.%b"))
    assert request["standard_output"] == f"/w/100%%/job/o/sim_{JOB_ID}_%3a%%.%b"
    alone = job_request(submission(stdout_path="%a_%3a_%b"))
    assert alone["standard_output"] == "/w/100%%/job/0_000_0"


@pytest.mark.parametrize("path", ["%x/out", "%a/out"])
def test_the_wrapper_opens_files_in_folders_that_nobody_made(path: str) -> None:
    request = job_request(submission(array={"expression": "0-9"}, stdout_path=path))
    assert request["standard_output"] == "/dev/null"
    assert "mkdir -p" in str(request["script"])


def test_every_node_gets_the_same_unless_the_script_starts_its_own_steps() -> None:
    resources = {"nodes": 2, "ntasks": 4}
    assert job_request(submission(resources=resources))["tasks_per_node"] == 2
    assert "tasks_per_node" not in job_request(submission(resources=resources, launch="first_node"))


@pytest.mark.parametrize(
    ("target", "launch", "flags"),
    [
        ("script", "every_node", None),
        ("script", "first_node", ["BATCH_JOB"]),
        ("steps", "first_node", None),
    ],
)
def test_the_warning_reaches_the_program_wherever_it_runs(
    target: str, launch: str, flags: list[str] | None
) -> None:
    spec: dict[str, Any] = {"resources": {"nodes": 2, "ntasks": 2}, "launch": launch}
    signal = {"seconds_before_end": 60, "target": target}
    assert job_request(submission(warning_signal=signal, **spec)).get("kill_warning_flags") == flags


def test_the_environment_is_the_jobs_own_and_never_empty() -> None:
    environment = job_request(submission(environment={"A": "x=y z"}))["environment"]
    assert isinstance(environment, list)
    names = {text.partition("=")[0] for text in environment}
    assert "A=x=y z" in environment
    assert {"PATH", "HPC_JOB_ID", "HPC_ACCOUNT", "SLURM_SUBMIT_DIR"} <= names
    assert all(name in {"A", "PATH", "LANG"} or name.startswith(("HPC_", "SLURM_", "LSB_")) for name in names)
    assert not any(name.startswith("HPC_PORTAL") for name in names)


@given(st.uuids(), st.none() | st.text(max_size=50))
def test_our_job_id_is_found_in_a_comment_whatever_follows(job_id: UUID, text: str | None) -> None:
    assert job_id_of_comment(comment_of(job_id, text)) == job_id


@pytest.mark.parametrize(
    "text", ["", "mine", "hpc-portal:", "hpc-portal:x", f"my hpc-portal:{JOB_ID}", f"hpc-portal:{JOB_ID}x"]
)
def test_a_comment_of_others_holds_no_job_of_ours(text: str) -> None:
    assert job_id_of_comment(text) is None
    assert job_id_of_comment(f"hpc-portal:{uuid4()}") is not None
