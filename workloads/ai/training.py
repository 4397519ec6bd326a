"""PyTorch training that can be stopped at any moment and goes on where it was."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from schedulers.jobspec import InputFile, JobSpec, RequeuePolicy
from workloads.ai.launch import EXIT_RUN_AGAIN, launch_script, launch_variables, warning_signal
from workloads.curves import is_number, read_metrics
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Failure,
    Marker,
    Metric,
    Parameters,
    Results,
    Series,
    TaskResult,
    Template,
    Verdict,
)
from workloads.workspace import list_files

_ARTEFACTS = {
    "metrics.jsonl": "curve",
    "model.pt": "model",
    "checkpoint.pt": "model",
    "result.json": "report",
}


class TrainingParameters(Parameters):
    """How to train and on what."""

    name: JobName = "pytorch-training"
    epochs: int = Field(
        default=120,
        ge=1,
        le=10_000,
        title=N_("Epochs"),
        description=N_("Passes over the training images."),
        json_schema_extra={"group": N_("Training")},
    )
    learning_rate: float = Field(
        default=0.001,
        gt=0,
        le=10,
        allow_inf_nan=False,
        title=N_("Learning rate"),
        json_schema_extra={"group": N_("Training")},
    )
    batch_size: int = Field(
        default=64, ge=1, le=1437, title=N_("Batch size"), json_schema_extra={"group": N_("Training")}
    )
    hidden_units: int = Field(
        default=512,
        ge=1,
        le=4096,
        title=N_("Hidden units"),
        description=N_("Width of the two hidden layers; the work grows with its square."),
        json_schema_extra={"group": N_("Training")},
    )
    seed: int = Field(
        default=1,
        ge=0,
        le=2**31 - 1,
        title=N_("Seed"),
        description=N_("The same seed gives the same curve on CPUs."),
        json_schema_extra={"group": N_("Training")},
    )
    target_accuracy: float = Field(
        default=0.9,
        ge=0,
        le=1,
        title=N_("Target accuracy"),
        description=N_("On validation images; a training that ends below it counts as failed."),
        json_schema_extra={"group": N_("Training")},
    )
    checkpoint_epochs: int = Field(
        default=10,
        ge=1,
        le=10_000,
        title=N_("Checkpoint every"),
        description=N_("Besides the one that is written when the job is asked to stop."),
        json_schema_extra={"advanced": True, "unit": N_("epochs"), "group": N_("Training")},
    )
    nodes: int = Field(
        default=1,
        ge=1,
        le=64,
        title=N_("Nodes"),
        description=N_("They must share the workspace's folder; each has the CPUs, memory and GPUs below."),
        json_schema_extra={"group": N_("Resources")},
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        title=N_("Processes on each node"),
        description=N_(
            "They share each batch out. With GPUs there is one for each GPU, whatever stands here."
        ),
        json_schema_extra={"group": N_("Resources")},
    )
    gpus: int = Field(
        default=0, ge=0, le=8, title=N_("GPUs on each node"), json_schema_extra={"group": N_("Resources")}
    )
    gpu_type: str | None = Field(
        default=None,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$",
        title=N_("GPU type"),
        description=N_("Such as h100; empty takes whatever type is free."),
        json_schema_extra={"group": N_("Resources")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class Training(Template[TrainingParameters]):
    """A small network on the digits data set that scikit-learn ships: no download, real gradients."""

    name: ClassVar[str] = "pytorch-training"
    title: ClassVar[str] = N_("PyTorch training")
    summary: ClassVar[str] = N_("Train a network on handwritten digits; survives being stopped and moved.")
    domain: ClassVar[str] = "training"
    parameters = TrainingParameters

    def render(self, params: TrainingParameters) -> JobSpec:
        """A job that carries its own program and asks for a signal in time to save."""
        asked: dict[str, Any] = {"nodes": params.nodes, "ntasks": params.nodes}
        if params.gpus:
            asked["gpus_per_node"] = {params.gpu_type or "": params.gpus}
        request = params.resources.request().model_copy(update=asked)
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=launch_script("training/train_digits.py training/parameters.json"),
                # cuBLAS is deterministic only with this; CPUs do not read it.
                environment={
                    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
                    **launch_variables(_processes_on_a_node(params)),
                },
                partition=params.resources.partition,
                programs=("python",),
                resources=request,
                requeue=RequeuePolicy(on_exit_codes=(EXIT_RUN_AGAIN,), max_requeues=100),
                warning_signal=warning_signal(params.resources.walltime_seconds),
                inputs=(
                    InputFile(path="training/train_digits.py", content=shipped("train_digits.py")),
                    InputFile(path="training/digits.py", content=shipped("digits.py")),
                    InputFile(path="training/parameters.json", content=_program_parameters(params)),
                ),
            )

    def parse(self, workspace: Path, params: TrainingParameters) -> Results:
        """The curve so far; a verdict once training is complete or has diverged."""
        events = list(_read_events(workspace))
        curve = [event for event in events if event["event"] == "epoch"]
        present = list_files(workspace)
        artefacts = tuple(Artefact(name, kind) for name, kind in _ARTEFACTS.items() if name in present)
        verdict, failure = _judge(events, curve, params)
        task = TaskResult(0, self.name, verdict, _task_metrics(curve, events), failure, artefacts)
        is_over = verdict is not Verdict.NO_VERDICT
        return Results(
            tasks=(task,) if is_over else (),
            metrics=task.metrics,
            series=(
                _series("train_loss", "", curve),
                _series("val_acc", "", curve),
            )
            if curve
            else (),
            markers=tuple(
                Marker(event["event"], event["epoch"])
                for event in events
                if event["event"] in ("preempted", "resumed") and is_number(event.get("epoch"))
            ),
        )


def _program_parameters(params: TrainingParameters) -> str:
    """The file that train_digits.py reads."""
    given = params.model_dump(
        include={"epochs", "learning_rate", "batch_size", "hidden_units", "seed", "gpus", "checkpoint_epochs"}
    )
    given |= {"cpus": params.resources.cpus, "processes": params.nodes * _processes_on_a_node(params)}
    return json.dumps(given, indent=2, sort_keys=True) + "\n"


def _processes_on_a_node(params: TrainingParameters) -> int:
    return params.gpus or params.processes


def _read_events(workspace: Path) -> Iterator[dict[str, Any]]:
    """The events of metrics.jsonl; an epoch without its numbers is left out."""
    for event in read_metrics(workspace):
        if not isinstance(event.get("event"), str):
            continue
        if event["event"] != "epoch" or all(
            is_number(event.get(field)) for field in ("epoch", "train_loss", "val_acc")
        ):
            yield event


def _judge(
    events: list[dict[str, Any]], curve: list[dict[str, Any]], params: TrainingParameters
) -> tuple[Verdict, Failure | None]:
    names = [event["event"] for event in events]
    if "diverged" in names:
        line = "the loss is not finite; try a lower learning rate"
        return Verdict.FAIL, Failure(
            "the loss is not finite", line, "metrics.jsonl", names.index("diverged") + 1
        )
    if "done" not in names or not curve:
        return Verdict.NO_VERDICT, None
    reached = curve[-1]["val_acc"]
    if reached < params.target_accuracy:
        line = f"validation accuracy {reached:.4f} is below the target {params.target_accuracy}"
        return Verdict.FAIL, Failure(
            "validation accuracy is below the target", line, "metrics.jsonl", len(events)
        )
    return Verdict.PASS, None


def _task_metrics(curve: list[dict[str, Any]], events: list[dict[str, Any]]) -> tuple[Metric, ...]:
    if not curve:
        return ()
    last = curve[-1]
    names = [event["event"] for event in events]
    speed = last.get("samples_per_s", math.nan)
    return (
        Metric("epochs", last["epoch"]),
        Metric("train_loss", last["train_loss"]),
        Metric("val_acc", last["val_acc"]),
        Metric("best_val_acc", max(point["val_acc"] for point in curve)),
        *([Metric("samples_per_second", speed, "1/s")] if is_number(speed) else []),
        Metric("preemptions", names.count("preempted")),
        Metric("resumes", names.count("resumed")),
    )


def _series(name: str, unit: str, curve: list[dict[str, Any]]) -> Series:
    return Series(name, "epoch", unit, tuple((point["epoch"], point[name]) for point in curve))
