"""The shown command and API call submit what the form submits: checked with what `hpc` makes of them."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpc_portal.cli.request import template_body
from hpc_portal.web.show_commands import changed_parameters, curl_command, hpc_command, request_body
from hpc_portal.web.show_form import default_pairs, read_parameters
from workloads import catalog
from workloads.errors import WorkloadError
from workloads.forms import FormField, Widget, form_fields
from workloads.template import Template

AWKWARD = 'it\'s "$HOME" `id` \\ a=b, c'


def _other_values(one: FormField) -> Iterator[list[tuple[str, str]]]:
    """What somebody might type instead of the default; the template says which of it is right."""
    match one.widget:
        case Widget.SWITCH:
            yield from ([(one.name, "true")], [(one.name, "false")])
        case Widget.SEGMENTED | Widget.SELECT:
            yield [(one.name, one.choices[-1])]
        case Widget.NUMBER:
            yield from ([(one.name, str(number))] for number in (2, 1, 64, 3600, 0.5))
        case Widget.LIST:
            yield from (
                [(one.name, "two\nthree words, and a comma")],
                [(one.name, "7\n8")],
                [(one.name, "x")],
            )
        case Widget.MAPPING:
            yield from ([(one.name, f"NAME={AWKWARD}\nSEED=7")], [(one.name, "h100=2")], [(one.name, "")])
        case Widget.FILES:
            yield [(f"{one.name}.src/top.v", "module top;\nendmodule\n"), (f"{one.name}.a b.v", AWKWARD)]
            yield [(f"{one.name}.src/top.v", "module top;\nendmodule\n")]
        case Widget.TEXT | Widget.TEXTAREA:
            yield from ([(one.name, text)] for text in (f"#!/bin/bash\n{AWKWARD}", AWKWARD, "other", "", "1"))


def _filled(template: Template[Any], fields: list[FormField]) -> list[tuple[str, str]]:
    """The form with as many fields changed as the template takes together."""
    pairs = list(default_pairs(fields, None))
    for one in fields:
        for values in _other_values(one):
            tried = [pair for pair in pairs if pair[0] != one.name] + values
            try:
                template.render(template.validate(read_parameters(fields, tried)))
            except WorkloadError:
                continue
            pairs = tried
            break
    return pairs


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_the_command_and_the_body_mean_the_same_job(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = catalog.CATALOG[name]
    fields = form_fields(template.parameters)
    parameters = template.validate(read_parameters(fields, _filled(template, fields)))
    changed = changed_parameters(fields, parameters)
    assert changed
    monkeypatch.chdir(tmp_path)
    for one in fields:
        if one.widget is Widget.FILES:
            for path, text in changed.get(one.name, {}).items():
                (tmp_path / path).parent.mkdir(exist_ok=True)
                (tmp_path / path).write_text(text)

    body = json.loads(json.dumps(request_body("tape-out", name, changed)))
    assert template.validate(body["parameters"]) == parameters

    words = shlex.split(hpc_command("tape-out", name, fields, changed).replace(" \\\n", " "))
    assert words[:6] == ["hpc", "submit", "--template", name, "--project", "tape-out"]
    assert set(words[6::2]) == {"-p"}
    typed = template_body("tape-out", name, template.parameters.model_json_schema(), None, words[7::2])
    assert template.validate(typed["parameters"]) == parameters
    assert template.render(template.validate(typed["parameters"])) == template.render(parameters)


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_an_untouched_form_needs_no_parameters(name: str) -> None:
    template = catalog.CATALOG[name]
    assert changed_parameters(form_fields(template.parameters), template.validate({})) == {}


def test_a_text_that_was_emptied_is_told_too() -> None:
    template = catalog.template("vhdl")
    fields = form_fields(template.parameters)
    parameters = template.validate({"seed_generic": None, "sources": {"tb.vhd": "entity tb"}})
    command = hpc_command("p", "vhdl", fields, changed_parameters(fields, parameters))
    words = shlex.split(command.replace(" \\\n", " "))
    assert "seed_generic=" in words
    schema = template.parameters.model_json_schema()
    typed = template_body("p", "vhdl", schema, None, [one for one in words if one == "seed_generic="])
    assert typed["parameters"] == {"seed_generic": None}


def test_the_call_carries_the_body_as_it_is() -> None:
    body = request_body("p", "script", {"name": "mô phỏng", "resources.cpus": 2})
    call = curl_command("https://hpc.example", body)
    head, text = call.split("<<'JSON'\n")
    assert json.loads(text.removesuffix("\nJSON")) == {
        "project": "p",
        "template": "script",
        "parameters": {"name": "mô phỏng", "resources": {"cpus": 2}},
    }
    assert "https://hpc.example/api/v1/jobs" in head
    assert "mô phỏng" in text
