"""The pydantic model of a site template's parameters, made from its document, in one language."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, create_model

from workloads.resources import JobName, Resources
from workloads.site.amounts import Amount
from workloads.site.document import MOST_TASKS, Document
from workloads.site.fields import (
    Access,
    BooleanParameter,
    ChoiceParameter,
    FileParameter,
    FilesParameter,
    IntegerParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    TextParameter,
    default_of,
)
from workloads.site.words import Locale
from workloads.template import N_, Parameters

WORD = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PATH = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$", re.ASCII)
_LONGEST_PATH = 255
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FILE_TEXT = StringConstraints(strip_whitespace=False, max_length=1024 * 1024)

Definition = tuple[Any, Any]
"""A type and its pydantic field, as create_model takes them."""


_ONLY_TASKS: Definition = (
    list[Annotated[int, Field(ge=0, lt=MOST_TASKS)]],
    Field(
        default_factory=list,
        max_length=MOST_TASKS,
        title=N_("Only these tasks"),
        description=N_("Task numbers of the matrix to run again; empty runs all."),
    ),
)
"""What an array's form has besides the document's parameters."""


_SEED_OFFSET: Definition = (
    int,
    Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        title=N_("Added to every seed"),
        description=N_("For a rerun with other seeds."),
    ),
)


def model_of(document: Document, locale: Locale) -> type[Parameters]:
    """The model of what a person may say; hidden parameters are not in it."""
    fields: dict[str, Definition] = {"name": (JobName, document.name)}
    for name, parameter in document.parameters.items():
        if parameter.access is not Access.HIDDEN:
            fields[name] = _field(parameter, locale)
    if document.array:
        fields["only_tasks"] = _ONLY_TASKS
        if document.array.columns:
            fields["seed_offset"] = _SEED_OFFSET
    resources = create_model("Resources", __base__=Parameters, **dict(_resources(document, locale)))  # type: ignore[call-overload]
    title = N_("Resources of each task") if document.array else N_("Resources")
    fields["resources"] = (resources, Field(default_factory=resources, title=title))
    made: type[Parameters] = create_model(  # type: ignore[call-overload]
        "SiteParameters", __base__=Parameters, **fields
    )
    return made


def _field(parameter: Parameter, locale: Locale) -> Definition:
    extra: dict[str, Any] = {}
    if unit := getattr(parameter, "unit", ""):
        extra["unit"] = unit
    if parameter.group:
        extra["group"] = parameter.group.say(locale)
    kind, facts = _type(parameter, extra)
    default = default_of(parameter)
    if parameter.access is Access.LOCKED:
        kind = _narrowed(kind, AfterValidator(_only(default)))
        extra["enum"] = [default]
    facts |= {"title": parameter.title.say(locale), "json_schema_extra": extra}
    if parameter.help:
        facts["description"] = parameter.help.say(locale)
    return kind, Field(default=... if default is None else default, validate_default=True, **facts)


def _type(parameter: Parameter, extra: dict[str, Any]) -> tuple[Any, dict[str, Any]]:  # noqa: PLR0911 - by type
    match parameter:
        case IntegerParameter():
            return int, {"ge": parameter.minimum, "le": parameter.maximum}
        case NumberParameter():
            return float, {"ge": parameter.minimum, "le": parameter.maximum, "allow_inf_nan": False}
        case BooleanParameter():
            return bool, {}
        case ChoiceParameter():
            extra["enum"] = list(parameter.choices)
            return Literal[parameter.choices], {}
        case TextParameter():
            facts = {"pattern": parameter.pattern} if parameter.pattern else {}
            return _text(parameter.type), {"max_length": parameter.max_length, **facts}
        case ListParameter():
            length = StringConstraints(
                min_length=1, max_length=parameter.max_length, pattern=parameter.pattern
            )
            item = _narrowed(_text(parameter.items), length)
            bounds = {"min_length": parameter.minimum, "max_length": parameter.maximum}
            return GenericAlias(list, (item,)), bounds
        case FilesParameter():
            extra["widget"] = "files"
            path = _narrowed(str, AfterValidator(_path), AfterValidator(_ends_in(parameter.suffixes)))
            bounds = {"min_length": parameter.minimum, "max_length": parameter.maximum}
            return GenericAlias(dict, (path, _narrowed(str, _FILE_TEXT))), bounds
        case FileParameter():
            extra["widget"] = "textarea"
            return Annotated[str, _FILE_TEXT], {}


def _narrowed(kind: Any, *rules: Any) -> Any:  # noqa: ANN401 - types as values
    """`Annotated[kind, *rules]` for a type that is known at run time only."""
    return Annotated.__class_getitem__((kind, *rules))  # type: ignore[attr-defined]


def _text(kind: str) -> Any:  # noqa: ANN401 - a type
    match kind:
        case "word":
            return Annotated[str, StringConstraints(pattern=WORD)]
        case "path":
            return Annotated[str, AfterValidator(_path)]
    return Annotated[str, AfterValidator(_one_line)]


def _path(text: str) -> str:
    if len(text) > _LONGEST_PATH or not _PATH.fullmatch(text):
        raise ValueError(N_("a path must be relative, of letters, digits and _ . + - only"))
    return text


def _one_line(text: str) -> str:
    if _UNSEEN.search(text):
        raise ValueError(N_("this must be one line without invisible characters"))
    if text.startswith("-"):
        raise ValueError(N_("this may not begin with a dash: a tool would take it for an option"))
    return text


def _ends_in(suffixes: tuple[str, ...]) -> Callable[[str], str]:
    def check(path: str) -> str:
        if not path.endswith(suffixes):
            raise ValueError(f"{path[:40]!r} must end in one of: {' '.join(suffixes)}")
        return path

    return check


def _only(value: object) -> Callable[[Any], Any]:
    def check(given: object) -> object:
        if given != value:
            raise ValueError(N_("the template's publisher has fixed this"))
        return given

    return check


def _resources(document: Document, locale: Locale) -> Iterator[tuple[str, Definition]]:
    """Fields for what is not locked; one that follows from parameters is empty until somebody says more."""
    for name in ("cpus", "memory_mib", "walltime_seconds"):
        amount: Amount = getattr(document.resources, name)
        if amount.locked:
            continue
        usual = Resources.model_fields[name]
        bounds = {
            fact: getattr(rule, fact)
            for rule in usual.metadata
            for fact in ("ge", "le")
            if hasattr(rule, fact)
        }
        facts: dict[str, Any] = {
            "ge": max(bounds["ge"], amount.minimum or 0),
            "le": min(bounds["le"], amount.maximum or bounds["le"]),
            "title": usual.title,
            "description": amount.why.say(locale) if amount.why else usual.description,
            "json_schema_extra": usual.json_schema_extra,
        }
        if amount.is_constant:
            yield name, (int, Field(default=amount.reckon({}), **facts))
        else:
            yield name, (int | None, Field(default=None, **facts))
    if not document.resources.partition_locked:
        partition = Resources.model_fields["partition"]
        yield "partition", (partition.annotation, _with_default(partition, document.resources.partition))


def _with_default(field: Any, default: object) -> Any:  # noqa: ANN401 - pydantic's own
    return field.merge_field_infos(field, default=default)


def given_values(params: BaseModel) -> Mapping[str, Any]:
    """The parameters as plain values by name."""
    return params.model_dump(mode="python")
