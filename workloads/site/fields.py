"""Parameters as a document describes them: typed, bounded, perhaps locked or hidden."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schedulers.jobspec import WorkspacePath
from workloads.site.words import Words

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
OneLine = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Suffix = Annotated[str, StringConstraints(pattern=r"^\.[A-Za-z0-9_]{1,15}$")]


class Access(StrEnum):
    """What the person who submits can do with a parameter."""

    OPEN = "open"
    LOCKED = "locked"
    """It is shown with its default, and no other value is taken."""
    HIDDEN = "hidden"
    """It always has its default, and no form shows it."""


class _Parameter(BaseModel):
    """What parameters of all types have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Words
    help: Words | None = None
    group: Words | None = None
    access: Access = Access.OPEN


class IntegerParameter(_Parameter):
    """A whole number."""

    type: Literal["integer"]
    default: int | None = None
    minimum: int = Field(ge=-(2**53))
    maximum: int = Field(le=2**53)
    unit: OneLine = ""
    option: OneLine = ""
    """The option that goes before it, as a word of its own."""


class NumberParameter(_Parameter):
    """A number with a fraction."""

    type: Literal["number"]
    default: float | None = Field(default=None, allow_inf_nan=False)
    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)
    unit: OneLine = ""
    option: OneLine = ""


class BooleanParameter(_Parameter):
    """Yes or no; the script gets `words` for yes and nothing for no."""

    type: Literal["boolean"]
    default: bool = False
    words: tuple[OneLine, ...] = ()


class ChoiceParameter(_Parameter):
    """One of a few texts."""

    type: Literal["choice"]
    choices: tuple[Annotated[OneLine, StringConstraints(min_length=1)], ...] = Field(
        min_length=1, max_length=100
    )
    default: str
    option: OneLine = ""


class TextParameter(_Parameter):
    """One line of text: a `word` is an identifier, a `path` lies in the workspace, a `text` is anything
    that does not begin with a dash; `pattern` narrows it further.
    """  # noqa: D205 - the three types are one sentence

    type: Literal["word", "path", "text"]
    default: str | None = None
    pattern: str | None = Field(default=None, max_length=500)
    max_length: int = Field(default=200, ge=1, le=10_000)
    unit: OneLine = ""
    option: OneLine = ""


class ListParameter(_Parameter):
    """Several of them; each becomes a word of its own, after its prefix or option."""

    type: Literal["list"]
    items: Literal["word", "path", "text"] = "word"
    default: tuple[str, ...] | None = None
    pattern: str | None = Field(default=None, max_length=500)
    max_length: int = Field(default=200, ge=1, le=1000)
    minimum: int = Field(default=0, ge=0)
    maximum: int = Field(default=100, ge=1, le=10_000)
    prefix: OneLine = ""
    option: OneLine = ""


class FilesParameter(_Parameter):
    """Files that the person hands in; the script gets the paths of those that end in `listed`."""

    type: Literal["files"]
    folder: WorkspacePath
    suffixes: tuple[Suffix, ...] = Field(min_length=1, max_length=30)
    listed: tuple[Suffix, ...] | None = None
    """Default: all of them."""
    minimum: int = Field(default=1, ge=0)
    maximum: int = Field(default=1000, ge=1, le=1000)
    prefix: OneLine = ""
    option: OneLine = ""


class FileParameter(_Parameter):
    """One text, such as constraints, that is written into a file; the script gets its path, or nothing when
    the text is empty.
    """  # noqa: D205 - one sentence

    type: Literal["file"]
    file: WorkspacePath
    default: str | None = Field(default=None, max_length=1024 * 1024)
    option: OneLine = ""


Parameter = Annotated[
    IntegerParameter
    | NumberParameter
    | BooleanParameter
    | ChoiceParameter
    | TextParameter
    | ListParameter
    | FilesParameter
    | FileParameter,
    Field(discriminator="type"),
]

MANY = (ListParameter, FilesParameter)
"""Those whose placeholder stands for any number of words."""


def default_of(parameter: Parameter) -> Any:  # noqa: ANN401 - by the parameter's type
    """What holds when nobody says anything; None: the person must."""
    if isinstance(parameter, FilesParameter):
        return None if parameter.minimum else {}
    if isinstance(parameter, ListParameter):
        return list(parameter.default) if parameter.default is not None else None
    return parameter.default
