"""A Jupyter notebook run from its first cell to its last, with values for its parameters."""

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schedulers.jobspec import InputFile, JobSpec, RequeuePolicy
from workloads.ai.own_program import (
    FilePath,
    FileText,
    ProgramPath,
    program_files,
    program_path,
    program_problem,
)
from workloads.curves import read_curves
from workloads.errors import FieldProblem, InvalidParameters
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Failure,
    Metric,
    Parameters,
    Results,
    TaskResult,
    Template,
    Verdict,
)
from workloads.verdict import signature
from workloads.workspace import list_files, read_text

_SCRIPT = """#!/bin/bash
# exec, so that signals reach Python and not this shell.
exec python -u notebook/run_notebook.py notebook/parameters.json
"""
_EXAMPLE = "pi.ipynb"
_LARGEST_RESULT_BYTES = 16 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ARTEFACTS = {
    "executed.html": "report",
    "executed.ipynb": "source",
    "metrics.jsonl": "curve",
    "traceback.txt": "log",
}


_JsonText = Annotated[
    str, BeforeValidator(lambda given: given if isinstance(given, str) else json.dumps(given))
]
"""A value as the form has it; one that comes as JSON is written as such."""


class NotebookParameters(Parameters):
    """Which notebook, and with what."""

    # A value arrives as it is written, spaces and all.
    model_config = ConfigDict(str_strip_whitespace=False)

    name: JobName = "notebook"
    files: dict[FilePath, FileText] = Field(
        default_factory=dict,
        max_length=200,
        title=N_("Files"),
        description=N_(
            "The notebook as Jupyter saves it, its modules and its data, by path; outputs in it are dropped. "
            "Empty computes pi."
        ),
        json_schema_extra={"widget": "files", "group": N_("Notebook")},
    )
    notebook: ProgramPath = Field(
        default="pi.ipynb",
        title=N_("Notebook"),
        description=N_("One of the files, or an absolute path on the nodes. It must be one of Python."),
        json_schema_extra={"group": N_("Notebook")},
    )
    values: dict[str, _JsonText] = Field(
        default_factory=dict,
        max_length=256,
        title=N_("Values"),
        description=N_(
            "Variables that are set after the cell tagged parameters, one NAME=value a line: numbers, true, "
            "false, null, lists and objects as JSON writes them; everything else is a text."
        ),
        json_schema_extra={"group": N_("Notebook")},
    )
    gpus: int = Field(default=0, ge=0, le=8, title=N_("GPUs"), json_schema_extra={"group": N_("Resources")})
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class _Error(BaseModel):
    """What ended a notebook early."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    cell: int = Field(ge=1, le=1_000_000)
    type: str = Field(max_length=300)
    message: str = Field(max_length=2000)


class _Result(BaseModel):
    """What a tenant's workspace says of the run; nothing in it is trusted."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)

    cells: int = Field(ge=0, le=1_000_000)
    cells_done: int = Field(ge=0, le=1_000_000)
    seconds: float = Field(ge=0)
    is_over: bool
    error: _Error | None


class Notebook(Template[NotebookParameters]):
    """Executed by nbclient, kept as .ipynb and as a page; see workloads/scripts/run_notebook.py."""

    name: ClassVar[str] = "notebook"
    title: ClassVar[str] = N_("Notebook")
    summary: ClassVar[str] = N_("A Jupyter notebook from its first cell to its last, with values of yours.")
    domain: ClassVar[str] = "general"
    parameters = NotebookParameters

    def render(self, params: NotebookParameters) -> JobSpec:
        """A job that carries the notebook, or its path, and what runs it."""
        values, problems = _values(params.values)
        files = dict(params.files)
        missing = program_problem(params.notebook, files, (_EXAMPLE,))
        if missing:
            problems.append(replace(missing, field="notebook"))
        elif params.notebook in files:
            stripped = _stripped(files[params.notebook])
            files[params.notebook] = stripped or ""
            if stripped is None:
                text = N_("this is no notebook of Python in format 4, as Jupyter saves it")
                problems.append(FieldProblem("notebook", text, "value_error", text))
        if problems:
            raise InvalidParameters(self.name, problems)
        given = {"notebook": program_path(params.notebook), "values": values}
        request = params.resources.request()
        if params.gpus:
            request = request.model_copy(update={"gpus_per_node": {"": params.gpus}})
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=_SCRIPT,
                partition=params.resources.partition,
                programs=("python",),
                resources=request,
                requeue=RequeuePolicy(),
                inputs=(
                    *program_files(files, (_EXAMPLE,)),
                    InputFile(path="notebook/run_notebook.py", content=shipped("run_notebook.py")),
                    InputFile(path="notebook/parameters.json", content=json.dumps(given, indent=2) + "\n"),
                ),
            )

    def parse(self, workspace: Path, params: NotebookParameters) -> Results:
        """How many cells have run, and curves; once it is over a verdict, and the cell that failed."""
        del params
        curves = read_curves(workspace)
        found = _read_result(workspace)
        if found is None:
            return Results(series=curves)
        metrics = (
            Metric("cells", found.cells),
            Metric("cells_done", found.cells_done),
            Metric("elapsed_seconds", found.seconds, "s"),
        )
        if not found.is_over:
            return Results(metrics=metrics, series=curves)
        present = list_files(workspace)
        failure = _failure(found.error, workspace) if found.error else None
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=Verdict.FAIL if failure else Verdict.PASS,
            metrics=metrics,
            failure=failure,
            artefacts=tuple(Artefact(name, kind) for name, kind in _ARTEFACTS.items() if name in present),
        )
        return Results(tasks=(task,), metrics=metrics, series=curves)


def _values(given: Mapping[str, str]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """The variables with their values, and those whose name no variable can have."""
    problems = []
    for name in given:
        if not _NAME.fullmatch(name) or keyword.iskeyword(name):
            text = N_("%(name)r is no name of a variable")
            facts = {"name": name[:64]}
            problems.append(FieldProblem("values", text % facts, "value_error", text, facts))
    return {name: _value(text) for name, text in given.items()}, problems


def _value(text: str) -> Any:  # noqa: ANN401 - a JSON value
    """What JSON reads in it; a text that is no JSON stands for itself, and so do NaN and Infinity."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(text: str) -> float:
    raise ValueError(text)


def _stripped(text: str) -> str | None:
    """The notebook without its outputs; None when it is none, or not of Python."""
    try:
        found = json.loads(text)
        if _language(found) not in (None, "python") or found["nbformat"] != 4:  # noqa: PLR2004 - the format's number
            return None
        if not isinstance(found["cells"], list):
            return None
        for cell in found["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        return json.dumps(found, indent=1) + "\n"
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None


def _language(notebook: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever stands there
    about = notebook["metadata"]
    return about.get("kernelspec", {}).get("language") or about.get("language_info", {}).get("name")


def _read_result(workspace: Path) -> _Result | None:
    text = read_text(workspace, "result.json", max_bytes=_LARGEST_RESULT_BYTES)
    try:
        return _Result.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _failure(error: _Error, workspace: Path) -> Failure:
    """The cell's number stays in the signature: another cell is another cause."""
    said = f"{error.type}: {error.message}"
    trace = read_text(workspace, "traceback.txt", max_bytes=1024 * 1024) or ""
    return Failure(
        signature=f"cell {error.cell}: {signature(said)}",
        line=f"cell {error.cell}: {said}",
        file="traceback.txt",
        line_number=max(1, trace.count("\n")),
    )
