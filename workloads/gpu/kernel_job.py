"""Jobs of the GPU templates: the kernels travel along, start the same way, and fail in words."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schedulers.jobspec import InputFile, JobSpec, ResourceRequest
from workloads.resources import Resources
from workloads.template import N_, Failure, TaskResult, Verdict
from workloads.verdict import signature
from workloads.workspace import read_text

PARAMETERS = "gpu/parameters.json"
_KERNELS = "workloads/gpu/kernels"
_IMPORT = re.compile(r"^ *from workloads\.gpu\.kernels\.(\w+) import", re.MULTILINE)
_SCRIPT = """#!/bin/bash
rm -f -- failure.json
if ! command -v python > /dev/null; then
    line="the program python is missing on this node"
    echo "$line" >&2
    echo '{"exit_code": 127, "line": "'"$line"'", "missing": "python"}' > failure.json
    exit 127
fi
exec python -u -m workloads.gpu.kernels.%s gpu/parameters.json
"""
_LARGEST_RESULT_BYTES = 1024 * 1024
_CPU_WORKING_MIB = 16
"""What stays in a core's caches is computed fastest."""
_GPU_WORKING_MIB = 2048

# Fields that every such template's form ends with.
GPUS: Any = Field(
    default=0,
    ge=0,
    le=1,
    title=N_("GPUs"),
    description=N_("0 computes the same on CPUs with NumPy."),
    json_schema_extra={"group": N_("Resources")},
)
GPU_TYPE: Any = Field(
    default=None,
    max_length=64,
    pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$",
    title=N_("GPU type"),
    description=N_("Such as h100; empty takes whatever type is free."),
    json_schema_extra={"group": N_("Resources")},
)
RESOURCES: Any = Field(
    default=Resources(cpus=1, memory_mib=1024, walltime_seconds=1800), title=N_("Resources")
)


class KernelParameters(Protocol):
    """What a job's parameters hold, whatever its kernel."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def gpus(self) -> int: ...  # noqa: D102
    @property
    def gpu_type(self) -> str | None: ...  # noqa: D102
    @property
    def resources(self) -> Resources: ...  # noqa: D102


class Result(BaseModel):
    """Base of what a program wrote; the workspace is a tenant's, so nothing in it is trusted."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Failed(Result):
    exit_code: int
    line: str = Field(max_length=4000)
    missing: str = Field(default="", max_length=64)


def kernel_job(
    params: KernelParameters, program: str, given: dict[str, Any], inputs: tuple[InputFile, ...] = ()
) -> JobSpec:
    """A job that runs `python -m workloads.gpu.kernels.PROGRAM` on the parameters in `given`."""
    written = given | {
        "gpus": params.gpus,
        "memory_mib": _GPU_WORKING_MIB if params.gpus else _CPU_WORKING_MIB,
    }
    text = json.dumps(written, indent=2, sort_keys=True) + "\n"
    return JobSpec(
        name=params.name,
        script=_SCRIPT % program,
        programs=("python",),
        partition=params.resources.partition,
        resources=_request(params),
        inputs=(InputFile(path=PARAMETERS, content=text), *inputs, *_kernels(program)),
    )


def _request(params: KernelParameters) -> ResourceRequest:
    request = params.resources.request()
    if not params.gpus:
        return request
    return request.model_copy(update={"gpus_per_node": {params.gpu_type or "": params.gpus}})


def _kernels(program: str) -> tuple[InputFile, ...]:
    """A program and what it imports, under the names by which these modules know each other."""
    folder = files("workloads.gpu.kernels")
    texts: dict[str, str] = {}
    wanted = ["__init__", program]
    while wanted:
        name = wanted.pop()
        if name not in texts:
            texts[name] = folder.joinpath(f"{name}.py").read_text(encoding="utf-8")
            wanted.extend(_IMPORT.findall(texts[name]))
    return (
        *(InputFile(path=f"{path}/__init__.py", content="") for path in ("workloads", "workloads/gpu")),
        *(InputFile(path=f"{_KERNELS}/{name}.py", content=texts[name]) for name in sorted(texts)),
    )


ResultT = TypeVar("ResultT", bound=Result)


def read_result(workspace: Path, path: str, model: type[ResultT]) -> ResultT | None:
    """What the program wrote; None while there is nothing, or nothing of that kind."""
    text = read_text(workspace, path, max_bytes=_LARGEST_RESULT_BYTES)
    if text is None:
        return None
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def failed_task(workspace: Path, label: str) -> TaskResult | None:
    """The result of a program that ended before it computed anything; None for all others."""
    failed = read_result(workspace, "failure.json", _Failed)
    if failed is None:
        return None
    cause = f"tool missing: {failed.missing}" if failed.missing else signature(failed.line)
    return TaskResult(0, label, Verdict.FAIL, failure=Failure(cause, failed.line, "failure.json", 1))
