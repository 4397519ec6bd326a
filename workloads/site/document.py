"""A site template's document: everything that an administrator may say of one, checked key by key."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schedulers.jobspec import WorkspacePath
from workloads.site.amounts import Amount, amount_of
from workloads.site.fields import OneLine, Parameter, ParameterName
from workloads.site.words import Words

LONGEST_SCRIPT = 64 * 1024
MOST_TASKS = 2000
"""All of their logs are read when somebody opens the job's page."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]*$", max_length=128)]
Command = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$", max_length=64)]
Folder = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f\x7f:]*$", max_length=500)]
Feature = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=64)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
PatternText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00\n]+$")]
AnAmount = Annotated[Amount, BeforeValidator(amount_of)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WhoMayUse(_Part):
    """Who may use a template; where nothing is said, everybody may. One match is enough."""

    organisation_kinds: tuple[Word, ...] = ()
    organisations: tuple[Word, ...] = ()
    """By their short names."""
    projects: tuple[Word, ...] = ()
    """By their account names."""

    @property
    def is_everybody(self) -> bool:
        """Whether nobody is kept out."""
        return not (self.organisation_kinds or self.organisations or self.projects)


class Tool(_Part):
    """What has to be on the node."""

    modules: tuple[Module, ...] = Field(default=(), max_length=30)
    """Loaded in this order, where the node has environment modules."""
    paths: tuple[Folder, ...] = Field(default=(), max_length=30)
    """Go before PATH."""
    commands: tuple[Command, ...] = Field(default=(), max_length=30)
    """Must be found then, else the job ends at once with exit code 127 and says which one is missing."""


class ResourceAmounts(_Part):
    """What the job, or each task of an array, asks for unless the person says otherwise."""

    cpus: AnAmount = Amount(base=1)
    memory_mib: AnAmount = Amount(base=1024)
    walltime_seconds: AnAmount = Amount(base=3600)
    gpus: AnAmount = Amount()
    partition: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=64)
    partition_locked: bool = False


class Array(_Part):
    """Rows x columns as one array job: a list of names, and a count of seeds."""

    rows: ParameterName | None = None
    """A list parameter of words."""
    columns: ParameterName | None = None
    """An integer parameter that says how many."""
    first_column: ParameterName | None = None
    """An integer parameter: the first number; default 1."""
    waves: ParameterName | None = None
    """A boolean parameter that a rerun with waveforms turns on."""


class LinePattern(_Part):
    """A regular expression (RE2) that is searched for in each line of a file."""

    pattern: PatternText
    file: WorkspacePath | None = None
    """Default: the log."""


def _line_pattern(raw: Any) -> Any:  # noqa: ANN401 - whatever the document holds
    return {"pattern": raw} if isinstance(raw, str) else raw


ALinePattern = Annotated[LinePattern, BeforeValidator(_line_pattern)]


class MetricRule(_Part):
    """One number: the group of a regular expression, or what lies at a path in a JSON file."""

    unit: OneLine = ""
    file: WorkspacePath | None = None
    pattern: PatternText | None = None
    """With one group around the number."""
    take: Literal["first", "last", "minimum", "maximum", "sum", "count"] = "last"
    """Of several lines that match."""
    json_path: Annotated[str | None, Field(alias="json", max_length=200)] = None
    """Such as `fmax.clk.achieved` or `paths[0].slack`."""


class ArtefactRule(_Part):
    """Files that are worth showing: a name, or a pattern of names in one folder."""

    files: WorkspacePath
    kind: Literal["log", "waveform", "model", "curve", "report", "source"] = "report"


MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class ResultRules(_Part):
    """How to read what the tool left behind; `{task}`, `{row}`, `{column}` in file names are the task's."""

    log: WorkspacePath
    pass_patterns: tuple[ALinePattern, ...] = Field(default=(), alias="pass", max_length=20)
    """All of them must be seen."""
    fail_patterns: tuple[ALinePattern, ...] = Field(default=(), alias="fail", max_length=50)
    """None of them may be seen; the first line that shows one becomes the failure's signature."""
    needs: tuple[MetricName, ...] = ()
    """Metrics without which there is no verdict."""
    metrics: dict[MetricName, MetricRule] = Field(default_factory=dict, max_length=60)
    artefacts: tuple[ArtefactRule, ...] = Field(default=(), max_length=30)


class Document(_Part):
    """The whole document."""

    name: Name
    title: Words
    summary: Words
    domain: Literal[
        "verification", "synthesis", "timing", "layout", "analog", "signoff", "training", "general"
    ] = "general"
    who_may_use: WhoMayUse = WhoMayUse()
    tool: Tool = Tool()
    environment: dict[Variable, OneLine] = Field(default_factory=dict, max_length=100)
    """Variables for the tool, such as where its licence server is."""
    licences: dict[Feature, AnAmount] = Field(default_factory=dict, max_length=30)
    resources: ResourceAmounts = ResourceAmounts()
    parameters: dict[ParameterName, Parameter] = Field(default_factory=dict, max_length=100)
    array: Array | None = None
    script: str = Field(min_length=1, max_length=LONGEST_SCRIPT, pattern=r"^[^\x00\r]+$")
    script_may_be_edited: bool = False
    """Whether people may edit the script by hand for one job."""
    results: ResultRules
