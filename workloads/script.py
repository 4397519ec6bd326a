"""A script run as it is: what sbatch users know, with every resource as a parameter."""

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.script import dialect_of, translate_script
from schedulers.directives.translation import Dialect, Translation
from schedulers.jobspec import ArraySpec, JobSpec, RequeuePolicy, ResourceRequest
from schedulers.units import CITY_TIME, format_walltime
from workloads.curves import read_curves
from workloads.errors import FieldProblem, InvalidParameters
from workloads.resources import JobName, Resources
from workloads.template import N_, Artefact, Parameters, Results, TaskResult, Template, Verdict
from workloads.workspace import list_files

_EXAMPLE = """#!/bin/bash
echo "Hello from $(hostname), task ${HPC_ARRAY_TASK_ID:-0}"
"""


class ScriptResources(Resources):
    """Everything that a job may ask a cluster for."""

    nodes: int = Field(default=1, ge=1, le=10_000, title=N_("Nodes"))
    ntasks: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        title=N_("MPI tasks"),
        description=N_("Over all nodes (sbatch --ntasks); each node gets at least one."),
    )
    gpus_per_node: dict[str, int] = Field(
        default_factory=dict,
        max_length=16,
        title=N_("GPUs on each node"),
        description=N_("By type, one a line, such as h100=2; any=1 takes whatever type is free."),
    )
    licenses: dict[str, int] = Field(
        default_factory=dict,
        max_length=64,
        title=N_("Licences"),
        description=N_("By feature, one a line, such as vcs=1; held while the job runs."),
    )

    def request(self) -> ResourceRequest:
        """The same, in the scheduler's words."""
        return ResourceRequest(
            nodes=self.nodes,
            ntasks=max(self.ntasks, self.nodes),
            cpus_per_task=self.cpus,
            memory_mib_per_node=self.memory_mib,
            gpus_per_node={"" if gpu == "any" else gpu: count for gpu, count in self.gpus_per_node.items()},
            licenses=self.licenses,
            walltime_seconds=self.walltime_seconds,
        )


class ScriptParameters(Parameters):
    """One script and what it needs."""

    # A script and its variables are run as they are written, spaces and all.
    model_config = ConfigDict(str_strip_whitespace=False)

    name: JobName = "script"
    script: str = Field(
        default=_EXAMPLE,
        min_length=3,
        max_length=1024 * 1024,
        title=N_("Script"),
        description=N_(
            "The whole script; its first line names the interpreter, such as #!/bin/bash. #SBATCH and #BSUB "
            "lines count; what you change in the fields below goes before them."
        ),
        json_schema_extra={"widget": "textarea"},
    )
    array: str | None = Field(
        default=None,
        max_length=10_000,
        title=N_("Array"),
        description=N_("Runs the script once for each index, such as 0-999%50; empty runs it once."),
    )
    environment: dict[str, str] = Field(
        default_factory=dict,
        max_length=256,
        title=N_("Environment"),
        description=N_("Variables for the script, one NAME=value a line."),
        json_schema_extra={"advanced": True},
    )
    requeue_exit_codes: list[Annotated[int, Field(ge=1, le=255)]] = Field(
        default_factory=list,
        max_length=16,
        title=N_("Run again on exit codes"),
        description=N_('Exit codes that mean "saved, run me again", such as 75.'),
        json_schema_extra={"advanced": True},
    )
    resources: ScriptResources = Field(
        default_factory=ScriptResources,
        title=N_("Resources"),
    )


class Script(Template[ScriptParameters]):
    """Any script: bash, Python, Tcl; nothing is assumed about what it prints."""

    name: ClassVar[str] = "script"
    title: ClassVar[str] = N_("Script")
    summary: ClassVar[str] = N_("Run a script of your own as it is, once or as an array.")
    domain: ClassVar[str] = "general"
    fixed_script: ClassVar[str] = N_("The script is a field of the form: edit it there.")
    parameters = ScriptParameters

    def render(self, params: ScriptParameters) -> JobSpec:
        """The script with its resources; see Template.render.

        Where the script has #SBATCH or #BSUB lines, they count, and parameters that are not their defaults
        go before them; what neither says keeps the parameter's default. Only a begin time relative to now
        makes equal parameters give different jobs.
        """
        translation = header_of(params)
        if translation is None:
            return self._plain(params)
        if translation.spec is None:
            raise InvalidParameters(self.name, [_field_problem(item) for item in translation.problems])
        facts = translation.spec.model_dump()
        facts["environment"] |= params.environment
        facts["resources"]["walltime_seconds"] = (
            facts["resources"]["walltime_seconds"] or params.resources.walltime_seconds
        )
        if params.requeue_exit_codes:
            facts["requeue"]["on_exit_codes"] = params.requeue_exit_codes
        with self._refusing(_FIELDS):
            return JobSpec.model_validate(facts)

    def _plain(self, params: ScriptParameters) -> JobSpec:
        with self._refusing(_FIELDS):
            return JobSpec(
                name=params.name,
                script=params.script,
                environment=params.environment,
                partition=params.resources.partition,
                resources=params.resources.request(),
                array=ArraySpec(expression=params.array) if params.array else None,
                requeue=RequeuePolicy(on_exit_codes=tuple(params.requeue_exit_codes)),
            )

    def parse(self, workspace: Path, params: ScriptParameters) -> Results:
        """Its output files as artefacts, and its curves; what they mean only the user knows."""
        del params
        logs = tuple(
            Artefact(name, "log") for name in list_files(workspace) if fnmatchcase(name, "slurm-*.out")
        )
        curves = read_curves(workspace)
        if not logs:
            return Results(series=curves)
        return Results(series=curves, tasks=(TaskResult(0, self.name, Verdict.NO_VERDICT, artefacts=logs),))


def header_of(params: ScriptParameters) -> Translation | None:
    """What the script's #SBATCH or #BSUB lines ask for, with the parameters on top; None when it has none."""
    if dialect_of(params.script) is Dialect.NONE:
        return None
    return translate_script(
        params.script,
        name=params.name,
        now=datetime.now(UTC).astimezone(CITY_TIME),
        options=_options_of(params),
    )


def _options_of(params: ScriptParameters) -> list[str]:
    """The parameters that are not their defaults, as options of sbatch."""
    asked, usual = params.resources, ScriptResources()
    said: dict[str, tuple[object, object, str]] = {
        "job-name": (params.name, ScriptParameters().name, params.name),
        "array": (params.array, None, params.array or ""),
        "nodes": (asked.nodes, usual.nodes, str(asked.nodes)),
        "ntasks": (asked.ntasks, usual.ntasks, str(asked.ntasks)),
        "cpus-per-task": (asked.cpus, usual.cpus, str(asked.cpus)),
        "mem": (asked.memory_mib, usual.memory_mib, f"{asked.memory_mib}M"),
        "time": (asked.walltime_seconds, usual.walltime_seconds, format_walltime(asked.walltime_seconds)),
        "partition": (asked.partition, usual.partition, asked.partition or ""),
        "gpus-per-node": (asked.gpus_per_node, usual.gpus_per_node, _counts(asked.gpus_per_node)),
        "licenses": (asked.licenses, usual.licenses, _counts(asked.licenses)),
    }
    return [f"--{name}={text}" for name, (value, default, text) in said.items() if value != default]


def _counts(counts: Mapping[str, int]) -> str:
    return ",".join(str(count) if name == "any" else f"{name}:{count}" for name, count in counts.items())


def _field_problem(problem: DirectiveProblem) -> FieldProblem:
    place = ": ".join(filter(None, (str(problem.line or ""), problem.option)))
    return FieldProblem("script", str(problem), "directive", problem.text, problem.facts, place)


_FIELDS = {
    "tres": "resources",
    "ntasks": "resources.ntasks",
    "gpus_per_node": "resources.gpus_per_node",
    "licenses": "resources.licenses",
}
"""Which parameter a field of the JobSpec comes from."""
