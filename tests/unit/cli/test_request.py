"""A template's parameters, from files and options."""

from pathlib import Path
from typing import Any

import pytest

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.request import coerce, read_parameters, template_body
from workloads.ai.sweep_parameters import SweepParameters

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


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("7", ["seed"], 7),
        ("7", ["note"], "7"),
        ("true", ["waves"], True),
        ("burst, drain", ["tests"], ["burst", "drain"]),
        ("1,2", ["seeds"], [1, 2]),
        ("1..4,9", ["seeds"], [1, 2, 3, 4, 9]),
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


def test_a_field_of_files_takes_paths_and_carries_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("train.py", "lib/net.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.chdir(tmp_path)
    files = "files=./train.py,lib/net.py,again.py=train.py"
    given = [files, "space.lr=float 0.001 0.1 log", f"files={tmp_path}/x"]
    schema = SweepParameters.model_json_schema()
    found = template_body("chips", "training-sweep", schema, None, given[:2])["parameters"]
    assert found == {
        "files": {"train.py": "# train.py\n", "lib/net.py": "# lib/net.py\n", "again.py": "# train.py\n"},
        "space": {"lr": "float 0.001 0.1 log"},
    }
    with pytest.raises(UsageProblem, match="cannot be read"):
        template_body("chips", "training-sweep", schema, None, given[2:])
