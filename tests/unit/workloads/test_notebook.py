"""The notebook template: values that stay values, what is no notebook, results that a tenant could forge."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.ai.notebook import Notebook
from workloads.errors import InvalidParameters
from workloads.template import Failure, Results, Verdict

TEMPLATE = Notebook()
PARAMS = TEMPLATE.validate({})
CODE = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{"data": "x" * 1000}]}
NOTEBOOK: dict[str, Any] = {"cells": [CODE], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
RESULT = {"cells": 3, "cells_done": 3, "seconds": 1.5, "is_over": True, "error": None}


def files(raw: dict[str, Any]) -> dict[str, str]:
    return {one.path: one.content for one in TEMPLATE.render(TEMPLATE.validate(raw)).inputs}


def test_a_value_is_what_json_reads_in_it_and_else_a_text() -> None:
    given = {
        "rate": "0.5",
        "steps": "7",
        "on": "true",
        "sizes": "[1, 2]",
        "word": '"7"',
        "text": "$(touch x)",
        "nan": "NaN",
        "broken": "[1,",
        "spaces": " a ",
        "as_json": 8,
    }
    written = json.loads(files({"values": given})["notebook/parameters.json"])
    assert written == {
        "notebook": "program/pi.ipynb",
        "values": {
            "rate": 0.5,
            "steps": 7,
            "on": True,
            "sizes": [1, 2],
            "word": "7",
            "text": "$(touch x)",
            "nan": "NaN",
            "broken": "[1,",
            "spaces": " a ",
            "as_json": 8,
        },
    }


@pytest.mark.parametrize("name", ["class", "a b", "x;import os", "", "é", "1a", "x\n"])
def test_what_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate({"values": {name: "1"}}))
    assert [problem.field for problem in refused.value.problems] == ["values"]


def test_outputs_of_the_notebook_are_not_carried() -> None:
    raw = {"files": {"a.ipynb": json.dumps(NOTEBOOK), "helper.py": "1"}, "notebook": "a.ipynb"}
    assert json.loads(files(raw)["program/a.ipynb"])["cells"][0]["outputs"] == []
    assert files(raw)["program/helper.py"] == "1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "1",
        "[" * 100_000,
        json.dumps({**NOTEBOOK, "nbformat": 3}),
        json.dumps({**NOTEBOOK, "cells": {}}),
        json.dumps({**NOTEBOOK, "cells": [1]}),
        json.dumps({**NOTEBOOK, "metadata": {"kernelspec": {"language": "julia"}}}),
        json.dumps({**NOTEBOOK, "metadata": {"kernelspec": []}}),
    ],
)
def test_what_is_no_notebook_of_python_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate({"files": {"a.ipynb": text}, "notebook": "a.ipynb"}))
    assert [problem.field for problem in refused.value.problems] == ["notebook"]


def test_a_notebook_on_the_nodes_is_named_and_one_that_is_nowhere_refused() -> None:
    written = files({"notebook": "/data/$(touch x).ipynb"})
    assert json.loads(written["notebook/parameters.json"])["notebook"] == "/data/$(touch x).ipynb"
    with pytest.raises(InvalidParameters) as refused:
        files({"notebook": "other.ipynb"})
    assert [problem.field for problem in refused.value.problems] == ["notebook"]


def test_a_failed_cell_is_the_failure_with_its_number(tmp_path: Path) -> None:
    error = {"cell": 5, "type": "ValueError", "message": "seed 42 is unlucky"}
    (tmp_path / "result.json").write_text(json.dumps({**RESULT, "error": error}))
    (tmp_path / "traceback.txt").write_text("Cell In[5], line 1\n\nValueError: seed 42 is unlucky\n")
    [task] = TEMPLATE.parse(tmp_path, PARAMS).tasks
    assert task.failure == Failure(
        "cell 5: ValueError: seed * is unlucky", "cell 5: ValueError: seed 42 is unlucky", "traceback.txt", 3
    )
    assert [one.path for one in task.artefacts] == ["traceback.txt"]


def test_a_notebook_that_goes_on_has_no_verdict_yet(tmp_path: Path) -> None:
    assert TEMPLATE.parse(tmp_path, PARAMS) == Results()
    (tmp_path / "result.json").write_text(json.dumps({**RESULT, "is_over": False}))
    found = TEMPLATE.parse(tmp_path, PARAMS)
    assert (found.tasks, [one.name for one in found.metrics]) == (
        (),
        ["cells", "cells_done", "elapsed_seconds"],
    )
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    assert [task.verdict for task in TEMPLATE.parse(tmp_path, PARAMS).tasks] == [Verdict.PASS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        json.dumps({**RESULT, "seconds": float("nan")}),
        json.dumps({**RESULT, "cells": 10**30}),
        json.dumps({**RESULT, "error": {"cell": -1, "type": "x", "message": ""}}),
        json.dumps({**RESULT, "is_over": "yes"}),
    ],
)
def test_a_forged_result_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    assert TEMPLATE.parse(tmp_path, PARAMS) == Results()
