"""The template port: a typed form that becomes a JobSpec, and a parser that reads what the job left behind.

Templates know no scheduler, no price and no database. `render` is pure; `parse` only reads the workspace.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import JobSpec
from workloads.errors import FieldProblem, InvalidParameters


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "mark, do not translate here"
    """Mark a text for translation; it is translated where it is shown."""
    return text


class Parameters(BaseModel):
    """Base of every template's parameters: titles and help are marked with `N_` and shown translated."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rest_of_a_default(cls, raw: Any) -> Any:  # noqa: ANN401 - pydantic's own
        """A nested model that is given in part keeps this model's default for the other fields."""
        if not isinstance(raw, Mapping):
            return raw
        merged = dict(raw)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Parameters) and isinstance(raw.get(name), Mapping):
                merged[name] = field.default.model_dump() | dict(raw[name])
        return merged


class Verdict(StrEnum):
    """What a result means to the person who asked, which an exit code often does not say."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    NO_VERDICT = "no_verdict"
    """The tool ended without saying either: never counted as a pass."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a result."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed: a signature that groups equal causes, and the first line that shows it."""

    signature: str
    """The error line with times, numbers, addresses and seeds masked."""
    line: str
    file: str
    """Relative to the workspace."""
    line_number: int


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file worth showing or downloading."""

    path: str
    """Relative to the workspace."""
    kind: str
    """`log`, `waveform`, `model`, `curve`, `report`, `source`, `bitstream`."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What one task achieved."""

    task_index: int
    label: str
    """What a person calls it: `burst seed 3`."""
    verdict: Verdict
    metrics: tuple[Metric, ...] = ()
    failure: Failure | None = None
    artefacts: tuple[Artefact, ...] = ()
    build: str = ""
    """What else the result depends on, tool and sources as one hash: equal builds must give equal results."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve: points (x, y) in order."""

    name: str
    x_label: str
    unit: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """An event worth showing on the curves: training was `preempted` or `resumed` at x."""

    kind: str
    x: float


@dataclass(frozen=True, slots=True)
class Column:
    """What the cells of one column mean. `title` is untranslated."""

    title: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows worth reading one by one: warnings, timing paths, measures by corner."""

    title: str
    """Untranslated."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    """A cell a column; None where there is no valid value."""
    is_cut: bool = False
    """There are more rows than these."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a job achieved, as far as its workspace tells now; a running job has partial results."""

    tasks: tuple[TaskResult, ...] = ()
    metrics: tuple[Metric, ...] = ()
    series: tuple[Series, ...] = ()
    markers: tuple[Marker, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignCell:
    """Where an array task stands in its campaign's matrix."""

    task_index: int
    row: str
    column: str


@dataclass(frozen=True, slots=True)
class StopRule:
    """When a campaign starts no further task; None: never for that reason."""

    failures: int | None = None
    """So many tasks did not pass."""
    cost_vnd: int | None = None
    """It was charged so much, reruns included."""


P = TypeVar("P", bound=Parameters)


class Template(ABC, Generic[P]):
    """One kind of workload. Instances hold no state."""

    name: ClassVar[str]
    """Stable; used in URLs, the API and stored jobs."""
    title: ClassVar[str]
    summary: ClassVar[str]
    domain: ClassVar[str]
    """`verification`, `synthesis`, `training`, ..."""
    fixed_script: ClassVar[str] = ""
    """Why nobody may edit the script for one job, untranslated; "" where everybody may.

    One that may be edited is the same text for all parameters, which reach it as variables and files (ADR
    0050): an edit stays right whatever the form says, and takes no value for a command.
    """
    parameters: type[P]

    @abstractmethod
    def render(self, params: P) -> JobSpec:
        """The job that these parameters ask for. Pure: equal parameters give equal jobs.

        Raises:
            InvalidParameters: the parameters contradict each other.
        """

    def script_to_edit(self) -> str:
        """The script that people may edit: the same for all parameters; "" where it is fixed."""
        return "" if self.fixed_script else self.render(self.validate({})).script or ""

    @abstractmethod
    def parse(self, workspace: Path, params: P) -> Results:
        """Read results from a job's workspace; missing or half-written files are "nothing yet", no error."""

    def campaign(self, params: P) -> Sequence[CampaignCell]:
        """The matrix of an array job, one cell a task; [] when the job is no campaign."""
        del params
        return ()

    def stop_rule(self, params: P) -> StopRule | None:
        """When its campaign ends early; None when the job is no campaign with pages of its own."""
        del params
        return None

    def parse_tasks(self, workspace: Path, params: P, indices: Collection[int]) -> Sequence[TaskResult]:
        """Results of only these tasks, as far as they are known; see `parse`."""
        wanted = frozenset(indices)
        return [task for task in self.parse(workspace, params).tasks if task.task_index in wanted]

    def parse_run(self, workspace: Path, params: P) -> Sequence[Metric]:
        """Numbers of an ended array as a whole, beside those of its tasks; () when there are none."""
        del workspace, params
        return ()

    def rerun(self, params: P, indices: Sequence[int], *, new_seeds: int, waves: bool) -> P:
        """The parameters of a job that runs these tasks again.

        Args:
            params: of the job that they ran in.
            indices: of the tasks.
            new_seeds: 0 for the same seeds; n for the n-th other ones, which no n before had.
            waves: record what is needed to look into a failure.

        Raises:
            InvalidParameters: the template has no campaigns, see `stop_rule`.
        """
        del params, indices, new_seeds, waves
        text = N_("Tasks of this kind of job cannot be run again by themselves. Submit a copy of the job.")
        raise InvalidParameters(self.name, [FieldProblem("parameters", text, "rerun", text)])

    def validate(self, raw: Mapping[str, Any]) -> P:
        """Typed parameters from untrusted input.

        Raises:
            InvalidParameters: with every wrong field.
        """
        with self._refusing():
            return self.parameters.model_validate(raw)

    @contextmanager
    def _refusing(self, fields: Mapping[str, str] | None = None) -> Iterator[None]:
        """Turn pydantic's errors into InvalidParameters.

        `fields` says which of our fields a JobSpec's field comes from, where the names differ.
        """
        try:
            yield
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            problems = [_problem(item, fields or {}) for item in found]
            raise InvalidParameters(self.name, problems) from error


def _problem(item: ErrorDetails, fields: Mapping[str, str]) -> FieldProblem:
    location, kind = item["loc"], item["type"]
    facts = item.get("ctx", {})
    cause = facts.get("error")
    if isinstance(cause, InvalidJobSpec):
        inner = cause.field if not location or cause.field in fields else ".".join(map(str, location))
        return FieldProblem(fields.get(inner, inner), cause.problem, kind, cause.text, cause.facts)
    dotted = ".".join(map(str, location)) or "parameters"
    message = item["msg"].removeprefix("Value error, ")
    if isinstance(cause, ValueError):
        return FieldProblem(fields.get(dotted, dotted), message, kind, str(cause))
    return FieldProblem(fields.get(dotted, dotted), message, kind, facts=facts)
