"""The form of a sweep: somebody's own program, what is searched, and how."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from workloads.ai.own_program import Argument, FilePath, FileText, ProgramPath, program_problem
from workloads.ai.sweep_space import Dimension, grid_size, read_dimension
from workloads.errors import FieldProblem
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_TRIALS = 1000
EXAMPLE = ("train_digits.py", "digits.py")
"""What is trained where the form has no files."""


def _readable(text: str) -> str:
    read_dimension(text)
    return text


ParameterName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Line = Annotated[str, Field(max_length=4096), AfterValidator(_readable)]


class SweepParameters(Parameters):
    """What is searched, how, and which program is tried."""

    name: JobName = "training-sweep"
    search: Literal["grid", "random", "tpe"] = Field(
        default="random",
        title=N_("Search"),
        description=N_("grid tries all combinations; tpe lets Optuna learn from the trials before."),
        json_schema_extra={"group": N_("Search")},
    )
    space: dict[ParameterName, Line] = Field(
        default={
            "learning_rate": "float 0.0003 0.1 log",
            "hidden_units": "choice 32 128",
            "batch_size": "choice 64",
        },
        min_length=1,
        max_length=50,
        title=N_("Search space"),
        description=N_(
            "NAME=float LOW HIGH, int LOW HIGH or choice A B C, one a line; log behind a range draws evenly "
            "from its powers."
        ),
        json_schema_extra={"group": N_("Search")},
    )
    trials: int = Field(
        default=6,
        ge=1,
        le=MOST_TRIALS,
        title=N_("Trials"),
        description=N_("A grid has as many as it has combinations, whatever stands here."),
        json_schema_extra={"group": N_("Search")},
    )
    grid_points: int = Field(
        default=3,
        ge=1,
        le=100,
        title=N_("Points of a range in a grid"),
        description=N_("Evenly spaced, its ends among them. A choice is tried whole."),
        json_schema_extra={"group": N_("Search")},
    )
    at_once: int = Field(
        default=2,
        ge=1,
        le=MOST_TRIALS,
        title=N_("Trials at once"),
        description=N_("Few at once let the later ones learn more from the earlier ones."),
        json_schema_extra={"group": N_("Search")},
    )
    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, title=N_("Seed"), json_schema_extra={"group": N_("Search")}
    )
    objective: str = Field(
        default="val_acc",
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        title=N_("Objective"),
        description=N_(
            "The number that decides, as the program writes it with a step or an epoch into metrics.jsonl, "
            "or its tag in TensorBoard's files. A trial is as good as the best it reported."
        ),
        json_schema_extra={"group": N_("Objective")},
    )
    direction: Literal["maximize", "minimize"] = Field(
        default="maximize", title=N_("Better is"), json_schema_extra={"group": N_("Objective")}
    )
    pruning: Literal["none", "median", "hyperband"] = Field(
        default="median",
        title=N_("Early stopping"),
        description=N_("Ends trials that are worse than others were at the same step, by SIGTERM."),
        json_schema_extra={"group": N_("Objective")},
    )
    warmup_steps: int = Field(
        default=4,
        ge=0,
        le=10**9,
        title=N_("Steps before early stopping"),
        description=N_("No trial is stopped before it has reported this step."),
        json_schema_extra={"advanced": True, "group": N_("Objective")},
    )
    files: dict[FilePath, FileText] = Field(
        default_factory=dict,
        max_length=200,
        title=N_("Program files"),
        description=N_("By path. Empty trains the example on handwritten digits that comes with the portal."),
        json_schema_extra={"widget": "files", "group": N_("Program")},
    )
    program: ProgramPath = Field(default="train_digits.py", json_schema_extra={"group": N_("Program")})
    arguments: list[Argument] = Field(
        default=["--epochs=20"],
        max_length=200,
        title=N_("Arguments"),
        description=N_("Of every trial, one a line; the trial's own values follow them."),
        json_schema_extra={"group": N_("Program")},
    )
    values_as: Literal["--name=value", "--name value", "name=value", "no arguments"] = Field(
        default="--name=value",
        title=N_("Values as arguments"),
        description=N_(
            "They are also in the JSON file that $HPC_TRIAL_VALUES names, and in $HPC_VALUE_NAME each."
        ),
        json_schema_extra={"advanced": True, "group": N_("Program")},
    )
    resumes: bool = Field(
        default=True,
        title=N_("Goes on from a checkpoint"),
        description=N_(
            "On: told to stop, it saves, and run again it goes on in its folder. Off: a trial that was cut "
            "begins anew in an empty folder."
        ),
        json_schema_extra={"group": N_("Program")},
    )
    gpus: int = Field(
        default=0, ge=0, le=8, title=N_("GPUs of each trial"), json_schema_extra={"group": N_("Resources")}
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )

    def dimensions(self) -> dict[str, Dimension]:
        """The space by name."""
        return {name: read_dimension(line) for name, line in self.space.items()}

    def trial_count(self) -> int:
        """Tasks of the array, which may be more than are allowed."""
        if self.search != "grid":
            return self.trials
        return grid_size(self.dimensions(), self.grid_points)


def problems_of(params: SweepParameters) -> Iterator[FieldProblem]:
    """What each field alone does not tell."""
    missing = program_problem(params.program, params.files, EXAMPLE)
    if missing:
        yield missing
    if params.trial_count() > MOST_TRIALS:
        text = N_("a sweep can have 1000 trials at most")
        yield FieldProblem("space", text, "value_error", text)
