"""A script, its header lines and options as a person writes them, and what is sent of it."""

from pathlib import Path

import pytest

from hpc_portal.cli.batch_script import ScriptOptions, json_of, spec_of, translate_file
from hpc_portal.cli.errors import UsageProblem
from schedulers.jobspec import JobSpec, Launch


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "sim.sh"
    path.write_text("#!/bin/bash\ntrue\n")
    return path


def spec(script: Path, options: ScriptOptions) -> JobSpec:
    return spec_of(translate_file(script, options), options)


def test_a_script_becomes_a_job_specification(script: Path) -> None:
    values: dict[str, str | int | bool | None] = {
        "cpus-per-task": 4,
        "mem": "2G",
        "gpus-per-node": "h100:2",
        "time": "1:00:00",
        "array": "0-99%10",
        "nodes": None,
        "partition": "",
    }
    made = spec(script, ScriptOptions(values, environment=["SEED=1=2"]))
    assert made.model_dump(mode="json", exclude_defaults=True) == {
        "name": "sim",
        "script": "#!/bin/bash\ntrue\n",
        "environment": {"SEED": "1=2"},
        "resources": {
            "cpus_per_task": 4,
            "memory_mib_per_node": 2048,
            "gpus_per_node": {"h100": 2},
            "walltime_seconds": 3600,
        },
        "array": {"expression": "0-99%10"},
    }


def test_options_go_before_header_lines_and_any_of_sbatch_may_follow(script: Path) -> None:
    script.write_text("#!/bin/bash\n#SBATCH --time=5 --mem=1G --qos=low -N 2\ntrue\n")
    made = spec(script, ScriptOptions({"time": "10"}, more=["--qos", "high"]))
    assert (made.resources.walltime_seconds, made.resources.memory_mib_per_node) == (600, 1024)
    assert (made.qos, made.name, made.launch) == ("high", "sim.sh", Launch.FIRST_NODE)
    assert spec(script, ScriptOptions(on_every_node=True)).launch is Launch.EVERY_NODE


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (ScriptOptions({"mem": "2Q"}), "--memory=2Q"),
        (ScriptOptions({"time": "soon"}), "--time=soon"),
        (ScriptOptions({"gpus-per-node": "h100:two"}), "--gpus=h100:two"),
        (ScriptOptions(more=["--memroy=4G"]), "--memroy=4G"),
    ],
)
def test_an_option_that_cannot_be_read_is_named_as_it_was_written(
    script: Path, options: ScriptOptions, place: str
) -> None:
    with pytest.raises(UsageProblem, match=r"sim\.sh") as caught:
        translate_file(script, options)
    assert [problem.field for problem in caught.value.fields] == [place]


def test_every_line_that_cannot_be_translated_is_named(script: Path) -> None:
    script.write_text("#!/bin/bash\n#SBATCH --hint=x\n#SBATCH --mem=1\n#SBATCH --bogus\ntrue\n")
    with pytest.raises(UsageProblem) as caught:
        translate_file(script, ScriptOptions())
    assert [problem.field for problem in caught.value.fields] == ["line 2 --hint=x", "line 4 --bogus"]


@pytest.mark.parametrize("variable", ["SEED", "HPC_JOB_ID=1"])
def test_a_variable_that_a_job_may_not_set_is_refused(script: Path, variable: str) -> None:
    with pytest.raises(UsageProblem):
        spec(script, ScriptOptions(environment=[variable]))


def test_a_specification_that_contradicts_itself_names_the_reason(script: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        translate_file(script, ScriptOptions({"gpus-per-node": 1, "cpus-per-gpu": 2, "cpus-per-task": 2}))
    assert "not both" in caught.value.fields[0].message


def test_a_missing_script_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"none\.sh"):
        translate_file(tmp_path / "none.sh", ScriptOptions())


def test_the_view_is_there_for_scripts_too(script: Path) -> None:
    script.write_text("#!/bin/bash\n#SBATCH --time=5\ntrue\n")
    found = json_of(translate_file(script, ScriptOptions()))
    assert found["dialect"] == "sbatch"
    assert found["options"] == [
        {
            "line": 2,
            "option": "--time=5",
            "field": "resources.walltime_seconds",
            "value": "00:05:00",
            "note": "",
        }
    ]
    assert found["spec"]["resources"] == {"walltime_seconds": 300}
