"""Options as sbatch users write them."""

from pathlib import Path
from typing import Any

import pytest

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.request import (
    ScriptOptions,
    coerce,
    parse_counts,
    read_parameters,
    script_body,
    template_body,
)

SCHEMA: dict[str, Any] = {
    "properties": {
        "seed": {"type": "integer"},
        "note": {"type": "string"},
        "waves": {"type": "boolean"},
        "tests": {"type": "array", "items": {"type": "string"}},
        "seeds": {"type": "array", "items": {"type": "integer"}},
        "rate": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "licenses": {"type": "object"},
        "optimiser": {"$ref": "#/$defs/Optimiser"},
    },
    "$defs": {"Optimiser": {"type": "object", "properties": {"momentum": {"type": "number"}}}},
}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "sim.sh"
    path.write_text("#!/bin/bash\ntrue\n")
    return path


def test_a_script_becomes_a_job_specification(script: Path) -> None:
    options = ScriptOptions(
        cpus=4, memory="2G", gpus="h100:2", time="1:00:00", array="0-99%10", environment=["SEED=1=2"]
    )
    assert script_body("vlsi", script, options) == {
        "project": "vlsi",
        "spec": {
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
        },
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (ScriptOptions(memory="2Q"), "--memory"),
        (ScriptOptions(time="soon"), "--time"),
        (ScriptOptions(gpus="h100:two"), "--gpus"),
        (ScriptOptions(environment=["SEED"]), "--env"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(script: Path, options: ScriptOptions, named: str) -> None:
    with pytest.raises(UsageProblem, match=named):
        script_body("vlsi", script, options)


def test_a_specification_that_contradicts_itself_names_the_field(script: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        script_body("vlsi", script, ScriptOptions(nodes=4, ntasks=2))
    assert "4 nodes need at least 4 tasks" in caught.value.fields[0].message


def test_a_missing_script_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"none\.sh"):
        script_body("vlsi", tmp_path / "none.sh", ScriptOptions())


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("7", ["seed"], 7),
        ("7", ["note"], "7"),
        ("true", ["waves"], True),
        ("burst, drain", ["tests"], ["burst", "drain"]),
        ("1,2", ["seeds"], [1, 2]),
        ("[1, 2]", ["seeds"], [1, 2]),
        ("0.5", ["rate"], 0.5),
        ("null", ["rate"], None),
        ("vcs=2,dc=1", ["licenses"], {"vcs": 2, "dc": 1}),
        ("0.9", ["optimiser", "momentum"], 0.9),
        ("x", ["unknown"], "x"),
    ],
)
def test_a_parameter_is_read_as_its_schema_says(text: str, path: list[str], value: object) -> None:
    assert coerce(text, SCHEMA, path) == value


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text('seed = 1\nnote = "kept"\n[optimiser]\nmomentum = 0.1\n')
    body = template_body("vlsi", "training", SCHEMA, file, ["seed=2", "optimiser.momentum=0.9"])
    assert body["parameters"] == {"seed": 2, "note": "kept", "optimiser": {"momentum": 0.9}}


@pytest.mark.parametrize(("name", "text"), [("p.json", "[1]"), ("p.json", "{"), ("p.toml", "a = ")])
def test_a_parameter_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UsageProblem, match=name):
        read_parameters(file)


@pytest.mark.parametrize(
    ("text", "counts"),
    [("", {}), ("2", {"": 2}), ("h100", {"h100": 1}), ("h100:2,a100:1,h100:1", {"h100": 3, "a100": 1})],
)
def test_counts_are_read_as_sbatch_reads_gpus(text: str, counts: dict[str, int]) -> None:
    assert parse_counts("--gpus", text) == counts
