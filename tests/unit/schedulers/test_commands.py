"""What a node is told to run: paths, variables, ranks."""

from datetime import UTC, datetime
from uuid import UUID

from schedulers.dask.commands import Task, command_of, lanes_of
from schedulers.dask.messages import Lane
from schedulers.dask.store import Share
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest, WarningSignal
from schedulers.protocol import Submission

JOB_ID = UUID("01890000-0000-7000-8000-000000000001")
WORKSPACE = f"/work/uni/lab/an/{JOB_ID}"


def submission(**facts: object) -> Submission:
    spec = JobSpec.model_validate({"name": "sim", "argv": ("true",), **facts})
    return Submission(JOB_ID, spec, "an", "uni", "lab", WORKSPACE, datetime.now(UTC), cluster_uid=2001)


def lanes(sent: Submission, share: Share, *tasks: tuple[int, int]) -> dict[str, Lane]:
    command = command_of(sent, walltime_seconds=60, grace_seconds=5)
    attempts = [Task(task_index, attempt, restarts=attempt) for task_index, attempt in tasks]
    return lanes_of(sent, command, share, attempts, hosts={"n1": "10.0.0.1"})


ONE = Share("lane", "slot", ("n1",), 2, 64, {"n1": {"h100": (3,)}})


def test_a_script_runs_from_the_workspace_that_the_portal_wrote_it_to() -> None:
    sent = submission(argv=None, script="#!/bin/sh\n", working_directory="sub")
    command = command_of(sent, walltime_seconds=60, grace_seconds=5)
    assert command.argv == (f"{WORKSPACE}/job.sh",)
    assert command.working_directory == f"{WORKSPACE}/sub"
    assert command.tenant.cluster_uid == 2001


def test_every_task_of_an_array_has_its_own_variables_and_files() -> None:
    sent = submission(array=ArraySpec(expression="2-8:3"), environment={"SEED": "1"})
    lane = lanes(sent, ONE, (2, 0), (5, 1))["n1"]
    assert [run.key for run in lane.runs] == [f"{JOB_ID}/2/0/0", f"{JOB_ID}/5/1/0"]
    assert lane.runs[0].environment == dict.fromkeys(
        ("HPC_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_ID", "LSB_JOBINDEX"), "2"
    )
    assert lane.runs[1].environment["SLURM_RESTART_COUNT"] == "1"
    assert lane.runs[1].stdout == f"{WORKSPACE}/slurm-{JOB_ID}_5.out"
    assert lane.runs[1].samples == f"{WORKSPACE}/.hpc/samples-5-1.jsonl"
    shared = lane.command.environment
    assert shared["SEED"] == "1"
    assert shared["HPC_ARRAY_TASK_COUNT"] == "3"
    assert (shared["SLURM_ARRAY_TASK_MIN"], shared["SLURM_ARRAY_TASK_MAX"]) == ("2", "8")
    assert shared["HPC_GPUS_ON_NODE"] == "1"
    assert lane.gpu_indices == (3,)


def test_a_lane_says_what_slurm_would_say_about_the_job() -> None:
    asked = ResourceRequest(ntasks=2, cpus_per_task=4, memory_mib_per_node=512)
    sent = submission(resources=asked, partition="gpu", account="lab")
    said = lanes(sent, ONE, (0, 0))["n1"].command.environment
    assert said["SLURM_JOB_ID"] == said["HPC_JOB_ID"] == str(JOB_ID)
    assert (said["SLURM_NTASKS"], said["SLURM_CPUS_PER_TASK"], said["HPC_MEM_PER_NODE"]) == ("2", "4", "512")
    assert (said["HPC_PARTITION"], said["HPC_ACCOUNT"], said["HPC_RESTART_COUNT"]) == ("gpu", "lab", "0")
    assert said["SLURM_SUBMIT_DIR"] == WORKSPACE
    assert "MASTER_ADDR" not in said


def test_each_rank_of_a_gang_knows_its_number_and_where_to_meet() -> None:
    share = Share("lane", "slot", ("n1", "n2"), 1, 64)
    sent = submission(resources=ResourceRequest(nodes=2, ntasks=2))
    first, second = lanes(sent, share, (0, 0)).values()
    assert [lane.command.environment["HPC_NODE_RANK"] for lane in (first, second)] == ["0", "1"]
    assert first.command.environment["SLURM_JOB_NODELIST"] == "n1,n2"
    (one,), (two,) = first.runs, second.runs
    assert one.environment == two.environment
    assert one.environment["MASTER_ADDR"] == "10.0.0.1"
    assert 20_000 <= int(one.environment["MASTER_PORT"]) < 32_000
    assert (one.key, two.key) == (f"{JOB_ID}/0/0/0", f"{JOB_ID}/0/0/1")
    assert one.stdout != two.stdout


def test_a_warning_signal_travels_with_the_command() -> None:
    sent = submission(warning_signal=WarningSignal(name="SIGTERM", seconds_before_end=30))
    command = command_of(sent, walltime_seconds=60, grace_seconds=5)
    assert (command.warning_signal, command.warning_seconds_before_end) == ("SIGTERM", 30)


def test_a_share_survives_json() -> None:
    gpus: dict[str, dict[str, tuple[int, ...]]] = {"n1": {"h100": (0, 1)}, "n2": {}}
    share = Share("lane", "slot", ("n1", "n2"), 1, 64, gpus=gpus, supervisors={"n1": "s"})
    assert Share.from_json(share.to_json()) == share
    assert share.gpu_indices == {"n1": (0, 1)}
    assert share.gpu_types == {"h100": 2}
