"""A job's programs see the same variables on every cluster."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from schedulers.dask.commands import command_of
from schedulers.job_variables import as_in_slurm, job_variables
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.protocol import Submission
from schedulers.slurm.translate import environment_of

JOB_ID = UUID("01a2b3c4-0000-7000-8000-000000000001")


def submission(array: str | None = None) -> Submission:
    spec = JobSpec(
        name="sim",
        argv=("true",),
        partition="short",
        resources=ResourceRequest(ntasks=2, cpus_per_task=3, memory_mib_per_node=512, walltime_seconds=60),
        array=ArraySpec(expression=array) if array else None,
    )
    return Submission(JOB_ID, spec, "an", "uni", "lab", "/work/job", datetime(2026, 11, 26, tzinfo=UTC))


@pytest.mark.parametrize("array", [None, "3-9:2"])
def test_dask_and_slurm_give_the_same(array: str | None) -> None:
    expected = job_variables(submission(array)).items()
    on_dask = command_of(submission(array), walltime_seconds=60, grace_seconds=1).environment
    on_slurm = dict(line.split("=", 1) for line in environment_of(submission(array)))
    assert expected <= on_dask.items()
    assert expected <= on_slurm.items()


def test_the_projects_files_lie_beside_the_folders_of_its_cluster_users() -> None:
    job = replace(submission(), workspace=f"/work/uni/lab/an/{JOB_ID}")
    variables = job_variables(job)
    assert variables["HPC_PROJECT_FILES"] == "/work/uni/lab/.project/files"
    assert f"HPC_PROJECT_FILES={variables['HPC_PROJECT_FILES']}" in environment_of(job)


def test_scripts_written_for_slurm_find_its_own_names() -> None:
    variables = as_in_slurm(job_variables(submission("3-9:2")))
    assert (variables["SLURM_JOB_ID"], variables["SLURM_ARRAY_TASK_COUNT"]) == (str(JOB_ID), "4")
    assert (variables["SLURM_ARRAY_TASK_MIN"], variables["SLURM_ARRAY_TASK_MAX"]) == ("3", "9")
