"""Batch inference: any program over many inputs, cut into shards that run side by side."""

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from schedulers.jobspec import ArraySpec, InputFile, JobSpec, RequeuePolicy
from workloads.ai.inference_results import read_shards
from workloads.ai.launch import EXIT_RUN_AGAIN, warning_signal
from workloads.ai.own_program import (
    Argument,
    FilePath,
    FileText,
    NodePath,
    ProgramPath,
    program_files,
    program_problem,
)
from workloads.errors import InvalidParameters
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import N_, Parameters, Results, Template

EXAMPLE = ("infer_digits.py", "digits.py", "train_digits.py")
"""What runs where the form has no files."""
_PROGRAMS = ("run_shard.py", "own_process.py")
_SCRIPT = """#!/bin/bash
# exec, so that signals reach Python and not this shell.
exec python -u inference/run_shard.py inference/inference.json
"""
_Input = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]


class InferenceParameters(Parameters):
    """Which program answers which inputs, in how many pieces."""

    name: JobName = "batch-inference"
    inputs: list[_Input] = Field(
        default=["0..1796"],
        max_length=10_000,
        title=N_("Inputs"),
        description=N_(
            "One a line, whatever the program understands: paths on the nodes, names, numbers; 0..1796 "
            "stands for all of these numbers."
        ),
        json_schema_extra={"group": N_("Input")},
    )
    input_folder: NodePath | None = Field(
        default=None,
        title=N_("Input folder"),
        description=N_(
            "An absolute path on the nodes; each of its files is an input, too. What is in it when the first "
            "shard starts counts."
        ),
        json_schema_extra={"group": N_("Input")},
    )
    pattern: str = Field(
        default="*",
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f/]+$",
        title=N_("File names"),
        description=N_("Of the folder, such as *.png."),
        json_schema_extra={"group": N_("Input")},
    )
    files: dict[FilePath, FileText] = Field(
        default_factory=dict,
        max_length=200,
        title=N_("Program files"),
        description=N_(
            "By path. Empty names the handwritten digits of scikit-learn with a small network that it trains "
            "first."
        ),
        json_schema_extra={"widget": "files", "group": N_("Program")},
    )
    program: ProgramPath = Field(default="infer_digits.py", json_schema_extra={"group": N_("Program")})
    arguments: list[Argument] = Field(
        default_factory=list,
        max_length=200,
        title=N_("Arguments"),
        description=N_(
            "One a line. The program reads inputs, one a line, from the file $HPC_INPUTS, and appends to "
            '$HPC_OUTPUTS a JSON object for each: {"input": ..., more}, or with an "error".'
        ),
        json_schema_extra={"group": N_("Program")},
    )
    silence_seconds: int | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        title=N_("Longest silence"),
        description=N_(
            "A program that answers nothing for so long is ended, as if it had died of its input. Empty "
            "waits for ever."
        ),
        json_schema_extra={"advanced": True, "unit": "s", "group": N_("Inference")},
    )
    shards: int = Field(
        default=2,
        ge=1,
        le=10_000,
        title=N_("Shards"),
        description=N_("Pieces that run as tasks of their own; what has been answered is not asked again."),
        json_schema_extra={"group": N_("Inference")},
    )
    gpus: int = Field(
        default=0, ge=0, le=8, title=N_("GPUs of each shard"), json_schema_extra={"group": N_("Resources")}
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class Inference(Template[InferenceParameters]):
    """Each task answers the inputs of its shard; the last one merges all answers."""

    name: ClassVar[str] = "batch-inference"
    title: ClassVar[str] = N_("Batch inference")
    summary: ClassVar[str] = N_("A program of your own over many inputs, in shards that run side by side.")
    domain: ClassVar[str] = "training"
    parameters = InferenceParameters

    def render(self, params: InferenceParameters) -> JobSpec:
        """An array with a task for each shard."""
        missing = program_problem(params.program, params.files, EXAMPLE)
        if missing:
            raise InvalidParameters(self.name, [missing])
        given = params.model_dump(
            include={"inputs", "input_folder", "pattern", "program", "arguments", "shards", "silence_seconds"}
        )
        request = params.resources.request()
        if params.gpus:
            request = request.model_copy(update={"gpus_per_node": {"": params.gpus}})
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=_SCRIPT,
                # The example trains; cuBLAS is deterministic only with this.
                environment={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
                partition=params.resources.partition,
                programs=("python",),
                resources=request,
                array=ArraySpec(expression=f"0-{params.shards - 1}"),
                requeue=RequeuePolicy(on_exit_codes=(EXIT_RUN_AGAIN,), max_requeues=100),
                warning_signal=warning_signal(params.resources.walltime_seconds),
                inputs=(
                    InputFile(path="inference/inference.json", content=_json(given)),
                    *(InputFile(path=f"inference/{name}", content=shipped(name)) for name in _PROGRAMS),
                    *program_files(params.files, EXAMPLE),
                ),
            )

    def parse(self, workspace: Path, params: InferenceParameters) -> Results:
        """A shard passes once its answers are all there; bad inputs are named."""
        return read_shards(workspace, params.shards)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
