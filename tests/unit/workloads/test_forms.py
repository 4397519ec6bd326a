"""Forms: schema to fields, submitted pairs to nested parameters."""

from typing import Literal

import pytest
from pydantic import Field

from workloads.catalog import CATALOG
from workloads.forms import FormField, Widget, form_fields, parse_form
from workloads.resources import Resources
from workloads.template import Parameters


class Inner(Parameters):
    cpus: int = Field(default=1, ge=1, le=64, title="CPUs", json_schema_extra={"unit": "cores"})
    note: str | None = Field(default=None, title="Note")


class Sample(Parameters):
    who: str = Field(title="Who", description="Help.", max_length=20)
    mode: Literal["fast", "slow"] = "fast"
    corner: Literal["tt", "ss", "ff", "sf", "fs"] = "tt"
    waves: bool = False
    limit: int | None = Field(default=None, ge=1)
    ratio: float = 0.5
    tests: list[str] = Field(default=["a", "b"])
    counts: dict[str, int] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict, json_schema_extra={"widget": "files"})
    body: str = Field(default="x", json_schema_extra={"widget": "textarea", "group": "Text"})
    inner: Inner = Field(default=Inner(cpus=4), title="Needs")


FIELDS = form_fields(Sample)
BY_NAME = {field.name: field for field in FIELDS}


def test_nested_models_become_dotted_names_in_order() -> None:
    assert [field.name for field in FIELDS] == [
        *("who", "mode", "corner", "waves", "limit", "ratio", "tests", "counts", "files", "body"),
        *("inner.cpus", "inner.note"),
    ]


@pytest.mark.parametrize(
    ("name", "widget"),
    [
        ("who", Widget.TEXT),
        ("mode", Widget.SEGMENTED),
        ("corner", Widget.SELECT),
        ("waves", Widget.SWITCH),
        ("limit", Widget.NUMBER),
        ("ratio", Widget.NUMBER),
        ("tests", Widget.LIST),
        ("counts", Widget.MAPPING),
        ("files", Widget.FILES),
        ("body", Widget.TEXTAREA),
    ],
)
def test_the_widget_follows_the_type(name: str, widget: Widget) -> None:
    assert BY_NAME[name].widget is widget


def test_a_field_carries_title_help_bounds_unit_and_group() -> None:
    assert BY_NAME["inner.cpus"] == FormField(
        name="inner.cpus",
        title="CPUs",
        widget=Widget.NUMBER,
        default=4,
        minimum=1,
        maximum=64,
        is_integer=True,
        unit="cores",
        group="Needs",
    )
    assert BY_NAME["who"].required
    assert BY_NAME["who"].help == "Help."
    assert BY_NAME["who"].max_length == 20
    assert BY_NAME["body"].group == "Text"
    assert BY_NAME["corner"].choices == ("tt", "ss", "ff", "sf", "fs")
    assert BY_NAME["limit"].is_nullable
    assert (BY_NAME["counts"].default, BY_NAME["limit"].minimum) == ({}, 1)


def test_an_untouched_form_gives_the_defaults() -> None:
    raw = parse_form(FIELDS, [("who", "An"), ("csrf_token", "secret"), ("inner.gone", "1")])
    assert raw == {"who": "An"}
    assert Sample.model_validate(raw) == Sample(who="An")


def test_an_empty_number_or_choice_means_the_default() -> None:
    raw = parse_form(FIELDS, [("who", "An"), ("ratio", " "), ("limit", ""), ("mode", ""), ("inner.cpus", "")])
    assert raw == {"who": "An"}


def test_an_empty_text_is_empty_and_none_only_where_none_is_allowed() -> None:
    raw = parse_form(FIELDS, [("who", ""), ("body", ""), ("inner.note", " ")])
    assert raw == {"who": "", "body": "", "inner": {"note": None}}


def test_of_a_switch_with_its_hidden_twin_the_last_value_counts() -> None:
    assert parse_form(FIELDS, [("waves", "false"), ("waves", "true")]) == {"waves": "true"}
    assert parse_form(FIELDS, [("waves", "false")]) == {"waves": "false"}
    assert Sample.model_validate({"who": "An", "waves": "true"}).waves is True


def test_a_list_is_lines_or_repeated_names_and_may_be_empty() -> None:
    assert parse_form(FIELDS, [("tests", "one\r\n two \r\n\r\n")]) == {"tests": ["one", "two"]}
    assert parse_form(FIELDS, [("tests", "one"), ("tests", "two")]) == {"tests": ["one", "two"]}
    assert parse_form(FIELDS, [("tests", "")]) == {"tests": []}


def test_a_mapping_is_lines_or_names_with_a_prefix() -> None:
    assert parse_form(FIELDS, [("counts", "h100=2\nvcs = 1")]) == {"counts": {"h100": "2", "vcs": "1"}}
    assert parse_form(FIELDS, [("files.rtl/fifo.sv", "module fifo;\r\n")]) == {
        "files": {"rtl/fifo.sv": "module fifo;\n"}
    }


def test_a_mapping_line_without_a_value_is_reported_under_its_name() -> None:
    assert parse_form(FIELDS, [("counts", "h100")]) == {"counts": {"h100": None}}


def test_text_keeps_its_spaces_and_gets_unix_line_ends() -> None:
    assert parse_form(FIELDS, [("body", "#!/bin/sh\r\n\techo hi\r\n")]) == {"body": "#!/bin/sh\n\techo hi\n"}


@pytest.mark.parametrize("name", CATALOG)
def test_every_template_has_a_form_whose_defaults_are_its_own(name: str) -> None:
    template = CATALOG[name]
    fields = form_fields(template.parameters)
    shown = [(field.name, _as_submitted(field)) for field in fields]
    assert template.validate(parse_form(fields, shown)) == template.validate({})


@pytest.mark.parametrize("name", CATALOG)
def test_every_field_of_every_template_has_a_title_in_words(name: str) -> None:
    for field in form_fields(CATALOG[name].parameters):
        assert field.title
        assert "_" not in field.title


def test_fields_of_shared_resources_take_the_template_s_default() -> None:
    fields = {field.name: field for field in form_fields(CATALOG["pytorch-training"].parameters)}
    assert fields["resources.memory_mib"].default == 2048
    assert Resources().memory_mib == 1024


def _as_submitted(field: FormField) -> str:
    """What a browser sends back for a field that nobody touched."""
    match field.default:
        case None:
            return ""
        case bool():
            return str(field.default).lower()
        case list():
            return "\r\n".join(map(str, field.default))
        case dict():
            return "\r\n".join(f"{key}={value}" for key, value in field.default.items())
        case _:
            return str(field.default).replace("\n", "\r\n")
