"""Batch inference: a trained network over many images, cut into shards that run side by side."""

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schedulers.jobspec import ArraySpec, InputFile, JobSpec, RequeuePolicy
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import N_, Artefact, Metric, Parameters, Results, TaskResult, Template, Verdict
from workloads.workspace import list_files, read_text

_PROGRAMS = ("infer_digits.py", "digits.py", "train_digits.py")
_SCRIPT = """#!/bin/bash
exec python -u inference/infer_digits.py inference/parameters.json
"""
_EXAMPLE = {
    "epochs": 10,
    "learning_rate": 0.003,
    "batch_size": 64,
    "hidden_units": 64,
    "seed": 1,
    "cpus": 1,
    "gpus": 0,
    "processes": 1,
    "checkpoint_epochs": 10,
}
_LARGEST_RESULT_BYTES = 4096
_NodePath = Annotated[str, Field(max_length=1024, pattern=r"^/[^\x00-\x1f\x7f]+$")]


class InferenceParameters(Parameters):
    """Which network names which images, in how many pieces."""

    name: JobName = "batch-inference"
    model_path: _NodePath | None = Field(
        default=None,
        title=N_("Model"),
        description=N_(
            "The model.pt of a training, as an absolute path on the nodes. Empty trains a small one first."
        ),
        json_schema_extra={"group": N_("Input")},
    )
    input_path: _NodePath | None = Field(
        default=None,
        title=N_("Images"),
        description=N_(
            "A NumPy file of shape (images, 64) with grey levels 0 to 16, as an absolute path on the nodes. "
            "Empty takes scikit-learn's digits."
        ),
        json_schema_extra={"group": N_("Input")},
    )
    shards: int = Field(
        default=2,
        ge=1,
        le=10_000,
        title=N_("Shards"),
        description=N_("Pieces that run as tasks of their own; a shard that is there is not computed again."),
        json_schema_extra={"group": N_("Inference")},
    )
    batch_size: int = Field(
        default=256,
        ge=1,
        le=1_000_000,
        title=N_("Batch size"),
        json_schema_extra={"group": N_("Inference")},
    )
    gpus: int = Field(
        default=0, ge=0, le=1, title=N_("GPUs of each shard"), json_schema_extra={"group": N_("Resources")}
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class _Shard(BaseModel):
    """What a tenant's workspace says of a shard; nothing in it is trusted."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    images: int = Field(ge=0)
    seconds: float = Field(ge=0)
    correct: int | None = Field(default=None, ge=0)


class Inference(Template[InferenceParameters]):
    """Each task names the images of its shard and writes one CSV file."""

    name: ClassVar[str] = "batch-inference"
    title: ClassVar[str] = N_("Batch inference")
    summary: ClassVar[str] = N_("A trained network over many images, in shards that run side by side.")
    domain: ClassVar[str] = "training"
    parameters = InferenceParameters

    def render(self, params: InferenceParameters) -> JobSpec:
        """An array with a task for each shard."""
        given = params.model_dump(include={"model_path", "input_path", "shards", "batch_size", "gpus"})
        given |= {"cpus": params.resources.cpus}
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
                array=ArraySpec(expression=f"0-{params.shards - 1}"),
                requeue=RequeuePolicy(),
                inputs=(
                    InputFile(path="inference/parameters.json", content=_json(given)),
                    InputFile(path="inference/example.json", content=_json(_EXAMPLE)),
                    *(InputFile(path=f"inference/{name}", content=shipped(name)) for name in _PROGRAMS),
                ),
            )

    def parse(self, workspace: Path, params: InferenceParameters) -> Results:
        """A shard passes once its predictions are there; accuracy where the labels are known."""
        present = frozenset(list_files(workspace, "predictions"))
        done = [shard for shard in range(params.shards) if f"{shard}.csv" in present]
        found = {shard: _read_shard(workspace, shard) for shard in done}
        tasks = tuple(_task(shard, found[shard]) for shard in done)
        known = [shard for shard in found.values() if shard]
        if not known:
            return Results(tasks=tasks)
        return Results(tasks=tasks, metrics=_metrics(known))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _read_shard(workspace: Path, shard: int) -> _Shard | None:
    text = read_text(workspace, f"results/{shard}.json", max_bytes=_LARGEST_RESULT_BYTES)
    try:
        return _Shard.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _task(shard: int, found: _Shard | None) -> TaskResult:
    return TaskResult(
        task_index=shard,
        label=f"shard {shard}",
        verdict=Verdict.PASS,
        metrics=_metrics([found]) if found else (),
        artefacts=(Artefact(f"predictions/{shard}.csv", "report"),),
    )


def _metrics(shards: list[_Shard]) -> tuple[Metric, ...]:
    """Summed over shards; the speed is that of one shard."""
    images, seconds = sum(one.images for one in shards), sum(one.seconds for one in shards)
    labelled = [one for one in shards if one.correct is not None]
    judged = sum(one.images for one in labelled)
    return (
        Metric("images", images),
        *([Metric("images_per_second", images / seconds, "1/s")] if seconds else []),
        *([Metric("accuracy", sum(one.correct or 0 for one in labelled) / judged)] if judged else []),
    )
