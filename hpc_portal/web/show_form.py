"""A template's parameters as a form: what each field shows, and what a submitted form means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedulers.errors import InvalidJobSpec
from schedulers.units import format_walltime, parse_memory_mib, parse_walltime
from workloads.forms import FormField, Widget, parse_form
from workloads.template import N_

Pairs = Sequence[tuple[str, str]]

UPLOAD = "upload."
"""Before a field's name: files that a browser sends for it."""

STORED = "stored."
"""Before a field's name: paths among the project's files, one a line."""

_MIB_PER_GIB = 1024
_SECONDS = "s"
_MEBIBYTES = "MiB"
_NOTATION = {
    _SECONDS: N_("Hours:minutes:seconds, such as 01:30:00; days as in 2-12:00:00."),
    _MEBIBYTES: N_("Such as 512M or 16G."),
}
_RANGES = N_("1..5 is a whole range, 0.8..1.2/0.1 one with a step.")
_NOT_UNDERSTOOD = {
    _SECONDS: N_("Enter a time such as 01:30:00 or 2-12:00:00."),
    _MEBIBYTES: N_("Enter a size such as 512M or 16G."),
}
_NAMES_IN_JOBS = {
    "cpus_per_task": "cpus",
    "memory_mib_per_node": "memory_mib",
    "gpus_per_node": "gpus",
}
"""What a JobSpec's fields are called in forms, where the names differ."""


@dataclass(frozen=True, slots=True)
class ShownField:
    """One labelled control. `title`, `help` and `notation` are untranslated."""

    name: str
    anchor: str
    widget: str
    title: str
    help: str
    notation: str
    unit: str
    is_required: bool
    value: str
    is_on: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    step: str
    files: tuple[tuple[str, str], ...]
    stored: str
    """Chosen files of the project that could not be read, one a line."""
    error: str
    is_usual: bool
    """It says what a new form would say."""


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields under one heading; "" for those that stand alone."""

    title: str
    fields: tuple[ShownField, ...]
    advanced: tuple[ShownField, ...]
    """Of use to few: folded away while all of them say the usual and none is wrong."""

    @property
    def is_open(self) -> bool:
        """Whether the advanced ones have to be seen."""
        return any(field.error or not field.is_usual for field in self.advanced)


def show_form(fields: Sequence[FormField], pairs: Pairs, errors: Mapping[str, str]) -> list[FieldGroup]:
    """Every field with its value from `pairs`, which hold what a reader typed, also when it was wrong.

    Groups stand in the order of their first fields, whole, also where their fields lie apart.
    """
    usual = default_pairs(fields, None)
    groups: dict[str, tuple[list[ShownField], list[ShownField]]] = {}
    for one in fields:
        plain, advanced = groups.setdefault(one.group, ([], []))
        (advanced if one.is_advanced else plain).append(_show_field(one, pairs, errors, usual))
    return [FieldGroup(title, tuple(plain), tuple(folded)) for title, (plain, folded) in groups.items()]


def default_pairs(fields: Sequence[FormField], parameters: Mapping[str, Any] | None) -> Pairs:
    """What a new form says: the defaults, or the parameters of the job that it is a copy of."""
    pairs: list[tuple[str, str]] = []
    for one in fields:
        value = one.default if parameters is None else _at(parameters, one.name, one.default)
        match value:
            case None:
                pairs.append((one.name, ""))
            case Mapping() if one.widget is Widget.FILES:
                pairs += [(f"{one.name}.{path}", text) for path, text in value.items()]
            case Mapping():
                pairs.append((one.name, "\n".join(f"{key}={item}" for key, item in value.items())))
            case list() | tuple():
                pairs.append((one.name, "\n".join(map(str, value))))
            case bool():
                pairs.append((one.name, "true" if value else "false"))
            case _:
                pairs.append((one.name, _as_typed(one, value)))
    return pairs


def read_parameters(fields: Sequence[FormField], pairs: Pairs) -> dict[str, Any]:
    """The raw parameters of a submitted form, with times and sizes as numbers."""
    units = {one.name: one.unit for one in fields if one.widget is Widget.NUMBER}
    return parse_form(fields, [(name, _as_number(value, units.get(name, ""))) for name, value in pairs])


def field_of(fields: Sequence[FormField], where: str) -> str:
    """The form field that an error's place means: `tests.3` is in `tests`; "" for none."""
    names = [one.name for one in fields]
    wanted = [where, _NAMES_IN_JOBS.get(where, where)]
    for name in names:
        if any(name == place or place.startswith(f"{name}.") for place in wanted):
            return name
    for name in names:
        if any(name.rpartition(".")[2] == place for place in wanted):
            return name
    return ""


def not_understood(fields: Sequence[FormField], name: str) -> str:
    """What to say when a time or size is none; "" for other fields."""
    unit = next((one.unit for one in fields if one.name == name), "")
    return _NOT_UNDERSTOOD.get(unit, "")


def anchor(name: str) -> str:
    """A field's name as part of an id."""
    return name.replace(".", "-")


def _show_field(one: FormField, pairs: Pairs, errors: Mapping[str, str], usual: Pairs) -> ShownField:
    values = [value.replace("\r\n", "\n") for name, value in pairs if name == one.name]
    is_list = one.widget in (Widget.LIST, Widget.MAPPING)
    has_notation = one.widget is Widget.NUMBER and one.unit in _NOTATION
    value = "\n".join(values) if is_list else values[-1] if values else ""
    prefix = f"{one.name}."
    return ShownField(
        name=one.name,
        anchor=anchor(one.name),
        widget=Widget.TEXT if has_notation else one.widget,
        title=one.title,
        help=one.help,
        notation=_NOTATION[one.unit] if has_notation else _RANGES if one.is_numbers else "",
        unit="" if has_notation else one.unit,
        is_required=one.required,
        value=value,
        is_on=value == "true",
        choices=one.choices,
        minimum=one.minimum,
        maximum=one.maximum,
        step="1" if one.is_integer else "any",
        files=tuple(
            (name.removeprefix(prefix), text)
            for name, text in pairs
            if one.widget is Widget.FILES and name.startswith(prefix)
        ),
        stored="\n".join(text for name, text in pairs if name == f"{STORED}{one.name}"),
        error=errors.get(one.name, ""),
        is_usual=values[-1:] in ([], [value for name, value in usual if name == one.name][-1:]),
    )


def _at(parameters: Mapping[str, Any], dotted: str, default: object) -> object:
    place: Any = parameters
    for part in dotted.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return default
        place = place[part]
    return place


def _as_typed(one: FormField, value: object) -> str:
    if one.widget is Widget.NUMBER and isinstance(value, int):
        if one.unit == _SECONDS:
            return format_walltime(value)
        if one.unit == _MEBIBYTES:
            return f"{value // _MIB_PER_GIB}G" if value % _MIB_PER_GIB == 0 else f"{value}M"
    return str(value)


def _as_number(value: str, unit: str) -> str:
    try:
        match unit:
            case "s" if value.strip():
                return str(parse_walltime(value))
            case "MiB" if value.strip():
                return str(parse_memory_mib(value))
    except InvalidJobSpec:
        return value  # pydantic then says that it is no number, and the page what it should be
    return value
