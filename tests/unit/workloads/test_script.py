"""The plain script template."""

from pathlib import Path
from typing import Any

import pytest

from workloads.errors import InvalidParameters
from workloads.script import Script
from workloads.template import Artefact, Results

TEMPLATE = Script()


def problems(**raw: Any) -> dict[str, str]:  # noqa: ANN401 - as untyped as a form
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    return {problem.field: problem.message for problem in refused.value.problems}


def test_a_script_and_its_variables_are_taken_as_they_are() -> None:
    script = "#!/bin/bash\n\n  echo ' a  '\n\n"
    spec = TEMPLATE.render(TEMPLATE.validate({"script": script, "environment": {"A": "  $(id) \n"}}))
    assert spec.script == script
    assert spec.environment == {"A": "  $(id) \n"}


def test_every_resource_reaches_the_job() -> None:
    spec = TEMPLATE.render(
        TEMPLATE.validate(
            {
                "array": "0-9:3%2",
                "requeue_exit_codes": [75],
                "resources": {
                    "nodes": 2,
                    "cpus": 8,
                    "memory_mib": 4096,
                    "walltime_seconds": 60,
                    "partition": "gpu",
                    "gpus_per_node": {"h100": 2, "any": 1},
                    "licenses": {"vcs": 3},
                },
            }
        )
    )
    assert spec.task_count == 4
    assert spec.partition == "gpu"
    assert spec.requeue.on_exit_codes == (75,)
    assert spec.resources.ntasks == 2, "each node gets at least one task"
    assert spec.resources.gpus_per_node == {"h100": 2, "": 1}
    assert spec.resources.tres["license/vcs"] == 3


def test_what_a_jobspec_refuses_is_reported_under_the_parameter_s_name() -> None:
    assert "rising order" in problems(array="3,1")["array"]
    assert "not a variable name" in problems(environment={"HPC_JOB_ID": "1"})["environment"]
    assert "NUL" in problems(script="#!/bin/bash\n\0")["script"]
    assert "at least 1" in problems(resources={"gpus_per_node": {"h100": 0}})["resources.gpus_per_node"]
    assert "at least 1" in problems(resources={"licenses": {"vcs": -1}})["resources.licenses"]
    assert problems(resources={"licenses": {"a b": 1}}).keys() == {"resources"}


def test_a_script_without_an_interpreter_line_is_refused() -> None:
    assert problems(script="echo hi").keys() == {"script"}


def test_its_results_are_its_output_files(tmp_path: Path) -> None:
    params = TEMPLATE.validate({})
    assert TEMPLATE.parse(tmp_path, params) == Results()
    for name in ("slurm-1.out", "data.csv"):
        (tmp_path / name).touch()
    [task] = TEMPLATE.parse(tmp_path, params).tasks
    assert task.artefacts == (Artefact("slurm-1.out", "log"),)


HEADED = """#!/bin/bash
#SBATCH --job-name=sim --array=0-9 --mem=8G
#SBATCH --gres=gpu:h100:1 --export=ALL,A=1,B=2
./simv
"""


def test_header_lines_count_and_what_the_form_changes_goes_before_them() -> None:
    spec = TEMPLATE.render(
        TEMPLATE.validate(
            {
                "script": HEADED,
                "array": "0-3",
                "environment": {"B": "3"},
                "requeue_exit_codes": [75],
                "resources": {"cpus": 4, "gpus_per_node": {"any": 2}},
            }
        )
    )
    assert (spec.name, spec.array and spec.array.expression) == ("sim", "0-3")
    assert spec.environment == {"A": "1", "B": "3"}
    assert spec.requeue.on_exit_codes == (75,)
    asked = spec.resources
    assert (asked.cpus_per_task, asked.memory_mib_per_node, asked.gpus_per_node) == (4, 8192, {"": 2})
    assert asked.walltime_seconds == 3600, "what neither says keeps the form's default"


def test_what_the_form_leaves_alone_is_the_headers() -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"script": HEADED}))
    assert (spec.name, spec.task_count, spec.resources.gpus_per_node) == ("sim", 10, {"h100": 1})


def test_a_header_line_that_cannot_be_translated_is_told_with_its_place() -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate({"script": "#!/bin/sh\n#SBATCH --hint=x\ntrue\n"}))
    (problem,) = refused.value.problems
    assert (problem.field, problem.place) == ("script", "2: --hint=x")
    assert problem.text


def test_a_variable_that_no_job_may_set_is_refused_beside_a_header_too() -> None:
    assert "not a variable name" in problems(script=HEADED, environment={"HPC_JOB_ID": "1"})["environment"]
