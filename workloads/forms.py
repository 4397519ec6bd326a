"""A template's JSON Schema as a flat list of form fields, and a submitted form as a nested dict.

One list serves the web page and `hpc template show`; pydantic stays the only validator.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from workloads.number_ranges import expand

_MOST_SEGMENTS = 3


class Widget(StrEnum):
    """How a field is shown; each says what it submits."""

    SEGMENTED = "segmented"
    """One of a few choices, all visible."""
    SELECT = "select"
    """One of many choices."""
    SWITCH = "switch"
    """`true` or `false`. A browser submits nothing for an empty checkbox: put a hidden `false` before it."""
    NUMBER = "number"
    TEXT = "text"
    TEXTAREA = "textarea"
    LIST = "list"
    """One item a line, or the field submitted several times."""
    MAPPING = "mapping"
    """One NAME=value a line, or fields named `field.NAME`."""
    FILES = "files"
    """One field named `field.PATH` for each file, whose value is the file's text."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `title`, `help`, `unit` and `group` are untranslated."""

    name: str
    """Dotted, as in the nested parameters: `resources.cpus`."""
    title: str
    widget: Widget
    help: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    is_integer: bool = False
    pattern: str | None = None
    max_length: int | None = None
    unit: str = ""
    group: str = ""
    is_advanced: bool = False
    """Of use to few: a form may fold it away while it has its default."""
    is_numbers: bool = False
    """A list of numbers, in which a line may be a range such as `1..5`; see workloads/number_ranges.py."""
    is_nullable: bool = False
    """Whether an empty field means "none" rather than an empty text."""


def form_fields(model: type[BaseModel]) -> list[FormField]:
    """The model's fields in their order, those of nested models in place, each with its dotted name."""
    schema = model.model_json_schema()
    return list(_walk(schema, _Place(definitions=schema.get("$defs", {}))))


def parse_form(fields: Sequence[FormField], submitted: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested raw parameters from a form's (name, value) pairs, for `Template.validate`.

    What is not submitted, and a number or a choice left empty, is left out, so that its default holds.
    An empty text is an empty text, or none where the field is nullable. An empty list is an empty list.
    Of a name submitted twice the last value counts, except in lists. Other names in the form (a token, the
    project) are ignored. Browsers end lines with CR LF; these become LF.
    """
    pairs = [(name, value.replace("\r\n", "\n")) for name, value in submitted]
    nested: dict[str, Any] = {}
    for one in fields:
        value = _read(one, pairs)
        if value is _ABSENT:
            continue
        *parents, last = one.name.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


_ABSENT = object()


def _read(one: FormField, pairs: Sequence[tuple[str, str]]) -> object:
    values = [value for name, value in pairs if name == one.name]
    match one.widget:
        case Widget.LIST:
            lines = _lines(values)
            if one.is_numbers:
                lines = [number for line in lines for number in expand(line)]
            return lines if values else _ABSENT
        case Widget.MAPPING | Widget.FILES:
            prefix = one.name + "."
            entries = {name.removeprefix(prefix): value for name, value in pairs if name.startswith(prefix)}
            if not values and not entries:
                return _ABSENT
            return dict(map(_name_and_value, _lines(values))) | entries
        case Widget.NUMBER | Widget.SEGMENTED | Widget.SELECT | Widget.SWITCH:
            return values[-1].strip() if values and values[-1].strip() else _ABSENT
        case Widget.TEXT | Widget.TEXTAREA:
            if not values:
                return _ABSENT
            return None if one.is_nullable and not values[-1].strip() else values[-1]


def _lines(values: Sequence[str]) -> list[str]:
    return [line.strip() for value in values for line in value.split("\n") if line.strip()]


def _name_and_value(line: str) -> tuple[str, str | None]:
    """A line without `=` gets the value None, which pydantic then reports under its name."""
    name, equals, value = line.partition("=")
    return name.strip(), value.strip() if equals else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema we are."""

    definitions: Mapping[str, Any]
    prefix: str = ""
    group: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The parent's default for this nested model, which wins over the model's own."""


def _walk(schema: Mapping[str, Any], place: _Place) -> Iterable[FormField]:
    required = frozenset(schema.get("required", ()))
    for name, raw in schema.get("properties", {}).items():
        resolved, is_nullable = _resolve(raw, place.definitions)
        default = place.defaults.get(name, resolved.get("default"))
        if "properties" in resolved:
            yield from _walk(
                resolved,
                _Place(
                    definitions=place.definitions,
                    prefix=f"{place.prefix}{name}.",
                    group=resolved.get("title", name),
                    defaults=default or {},
                ),
            )
        else:
            yield replace(
                _field(resolved, name=place.prefix + name, group=place.group, default=default),
                required=name in required,
                is_nullable=is_nullable,
            )


def _resolve(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema with `$ref` and "or null" taken away; what stands beside a `$ref` wins."""
    outer = {key: value for key, value in raw.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in raw:
        inner, is_nullable = _resolve(definitions[raw["$ref"].removeprefix("#/$defs/")], definitions)
        return inner | outer, is_nullable
    if "anyOf" in raw:
        kinds = [kind for kind in raw["anyOf"] if kind.get("type") != "null"]
        inner, _ = _resolve(kinds[0], definitions)
        return inner | outer, len(kinds) < len(raw["anyOf"])
    return outer, False


def _field(schema: Mapping[str, Any], *, name: str, group: str, default: object) -> FormField:
    return FormField(
        name=name,
        title=schema.get("title", name),
        widget=_widget(schema),
        help=schema.get("description", ""),
        default=_empty_default(schema) if default is None else default,
        choices=tuple(map(str, schema.get("enum", ()))),
        minimum=schema.get("minimum", schema.get("exclusiveMinimum")),
        maximum=schema.get("maximum", schema.get("exclusiveMaximum")),
        is_integer=schema.get("type") == "integer",
        pattern=schema.get("pattern"),
        max_length=schema.get("maxLength"),
        unit=schema.get("unit", ""),
        group=schema.get("group", group),
        is_advanced=schema.get("advanced", False),
        is_numbers=schema.get("items", {}).get("type") in {"integer", "number"},
    )


def _empty_default(schema: Mapping[str, Any]) -> object:
    """The schema leaves out what a `default_factory` makes; ours make empty lists and mappings."""
    return {"array": [], "object": {}}.get(schema.get("type", ""))


def _widget(schema: Mapping[str, Any]) -> Widget:
    if "widget" in schema:
        return Widget(schema["widget"])
    if "enum" in schema:
        return Widget.SEGMENTED if len(schema["enum"]) <= _MOST_SEGMENTS else Widget.SELECT
    return _WIDGETS.get(schema.get("type", ""), Widget.TEXT)


_WIDGETS = {
    "boolean": Widget.SWITCH,
    "integer": Widget.NUMBER,
    "number": Widget.NUMBER,
    "array": Widget.LIST,
    "object": Widget.MAPPING,
}
