"""What a JobSpec accepts, refuses and works out."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest

JOB_ID = UUID("01890000-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("expression", "indices", "throttle"),
    [
        ("0-3", [0, 1, 2, 3], None),
        ("5", [5], None),
        ("0-9:3", [0, 3, 6, 9], None),
        ("1,3,5-7%2", [1, 3, 5, 6, 7], 2),
    ],
)
def test_an_array_reads_as_sbatch_writes_it(
    expression: str, indices: list[int], throttle: int | None
) -> None:
    array = ArraySpec(expression=expression)
    assert list(array.indices()) == indices
    assert len(array) == len(indices)
    assert array.throttle == throttle


@pytest.mark.parametrize(
    "expression", ["", "a", "3-1", "1,1", "5,2", "0-3%", "0-3%x", "0-3%0", "-1", "0-9:0", "0-1000000"]
)
def test_an_array_that_makes_no_sense_is_refused(expression: str) -> None:
    with pytest.raises(ValidationError):
        ArraySpec(expression=expression)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=5))
def test_indices_can_be_taken_up_at_any_place(parts: list[tuple[int, int, int]]) -> None:
    texts, first = [], 0
    for gap, length, step in parts:
        texts.append(f"{first + gap}-{first + gap + length}:{step}")
        first += gap + length
    array = ArraySpec(expression=",".join(texts))
    whole = list(array.indices())
    for start in range(len(whole) + 1):
        assert list(array.indices(start)) == whole[start:]


def test_a_job_counts_what_it_holds_as_slurm_would() -> None:
    asked = ResourceRequest(
        nodes=2,
        ntasks=5,
        cpus_per_task=2,
        memory_mib_per_node=1000,
        gpus_per_node={"h100": 1, "": 1},
        licenses={"vcs": 3},
    )
    assert asked.cpus_per_node == 6
    assert asked.tres == {
        "cpu": 12,
        "mem": 2000,
        "node": 2,
        "gres/gpu": 4,
        "gres/gpu:h100": 2,
        "license/vcs": 3,
    }


@pytest.mark.parametrize(
    "facts",
    [
        {"nodes": 2, "ntasks": 1},
        {"gpus_per_node": {"h100": 0}},
        {"gpus_per_node": {"h 100": 1}},
        {"licenses": {"": 1}},
        {"cpus_per_task": 0},
        {"walltime_seconds": 0},
        {"colour": "red"},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ResourceRequest.model_validate(facts)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"script": "#!/bin/sh\n", "argv": ("true",)},
        {"script": "echo no interpreter"},
        {"argv": ()},
        {"argv": ("",)},
        {"argv": ("a\0b",)},
        {"argv": ("true",), "environment": {"HPC_JOB_ID": "mine"}},
        {"argv": ("true",), "environment": {"1X": "a"}},
        {"argv": ("true",), "environment": {"LD_PRELOAD": "evil.so"}},
        {"argv": ("true",), "working_directory": "../other"},
        {"argv": ("true",), "stdout_path": "/etc/passwd"},
        {"argv": ("true",), "name": "a/b"},
    ],
)
def test_a_job_that_contradicts_itself_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate({"name": "job", **facts})


def test_output_paths_fill_in_sbatch_patterns() -> None:
    plain = JobSpec(name="job", argv=("true",))
    assert plain.output_path(job_id=JOB_ID, task_index=0) == (f"slurm-{JOB_ID}.out",) * 2
    array = JobSpec(name="sim", argv=("true",), array=ArraySpec(expression="0-9"))
    assert array.output_path(job_id=JOB_ID, task_index=7)[0] == f"slurm-{JOB_ID}_7.out"
    apart = JobSpec(name="sim", argv=("true",), stdout_path="%x/%u-%a.log", stderr_path="100%%-%j")
    assert apart.output_path(job_id=JOB_ID, task_index=3, user="an") == ("sim/an-3.log", f"100%-{JOB_ID}")


def test_a_job_survives_json() -> None:
    job = JobSpec(
        name="sim",
        script="#!/bin/sh\nexit 0\n",
        array=ArraySpec(expression="0-9%2"),
        resources=ResourceRequest(gpus_per_node={"": 1}, licenses={"vcs": 1}),
    )
    assert JobSpec.model_validate_json(job.model_dump_json()) == job
    assert job.task_count == 10
    assert list(JobSpec(name="one", argv=("true",)).task_indices()) == [0]
