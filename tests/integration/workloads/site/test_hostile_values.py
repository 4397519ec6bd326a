"""No value becomes shell or Tcl: every parameter of every example, every hostile text, run for real."""

import os
from pathlib import Path
from typing import Any

import pytest

from schedulers.jobspec import JobSpec
from tests.integration.workloads.runner import prepare, run_task
from tests.integration.workloads.site.examples import PARAMETERS, load
from tests.unit.workloads.hostile import TEXTS
from workloads.errors import InvalidParameters
from workloads.forms import FormField, Widget, form_fields
from workloads.site.template import SiteTemplate

LONGEST_MESSAGE = 2000
NUMBERS = ("PARAM_CPUS", "PARAM_MEMORY_MIB", "PARAM_COLUMN_COUNT", "PARAM_FIRST_COLUMN")
"""The portal's own numbers, which no text can replace."""
LANGUAGES = (
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "'; touch INJECTED; '",
    '"; touch INJECTED; "',
    "x\ntouch INJECTED\n",
    "a[$(touch INJECTED)]",
    "> INJECTED",
    "[exec touch INJECTED]",
    "}; exec touch INJECTED; {",
    "|touch INJECTED",
)
"""Shell, its arithmetic, and Tcl."""
TOOL = """#!/bin/bash
mkdir -p build && printf '#!/bin/bash\\n' > build/simv && chmod +x build/simv
for word in "$@"; do
    case $word in
        *.tcl) { echo 'proc unknown args {}; proc source args {}'; cat "$word"; } | tclsh ;;
    esac
done
"""
"""Takes anything, and runs Tcl in a real interpreter."""


def with_text(raw: dict[str, Any], field: FormField, text: str) -> dict[str, Any]:
    value: Any = text
    if field.widget is Widget.LIST:
        value = [text]
    if field.widget is Widget.FILES:
        value = {text: text, f"{text}.sv": text, f"{text}.v": text}
    *parents, last = field.name.split(".")
    return raw | ({parents[0]: {last: value}} if parents else {last: value})


def run_in(folder: Path, template: SiteTemplate, spec: JobSpec) -> None:
    prepare(folder / "workspace", spec)
    commands = folder / "bin"
    commands.mkdir()
    for command in template.document.tool.commands:
        (commands / command).write_text(TOOL)
        (commands / command).chmod(0o755)
    run_task(folder / "workspace", spec, path=f"{commands}:{os.environ['PATH']}")


def injected(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("INJECTED*") if path.is_file() and not path.stat().st_size]


def render(template: SiteTemplate, raw: dict[str, Any]) -> JobSpec | None:
    """The job, or None when the parameters are refused, which must name a field and repeat no megabyte."""
    try:
        return template.render(template.validate(raw))
    except InvalidParameters as refused:
        problems = refused.problems
    assert problems
    assert all(problem.field and len(problem.message) < LONGEST_MESSAGE for problem in problems)
    return None


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_hostile_value_is_refused_by_name_or_carried_as_plain_text(tmp_path: Path, name: str) -> None:
    template = load(name)
    innocent = template.render(template.validate(PARAMETERS[name]))
    accepted: dict[tuple[tuple[str, str], ...], JobSpec] = {}
    for field in form_fields(template.parameters):
        for text in TEXTS:
            spec = render(template, with_text(PARAMETERS[name], field, text))
            if spec is None:
                continue
            assert spec.script == innocent.script
            assert all(".." not in one.path and not one.path.startswith("/") for one in spec.inputs)
            if spec.environment != innocent.environment:
                accepted[tuple(sorted(spec.environment.items()))] = spec
    for number, spec in enumerate(accepted.values()):
        run_in(tmp_path / str(number), template, spec)
    assert injected(tmp_path) == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_even_a_value_that_no_check_lets_through_is_never_run(tmp_path: Path, name: str) -> None:
    template = load(name)
    spec = template.render(template.validate(PARAMETERS[name]))
    for number, text in enumerate(LANGUAGES):
        hostile = {
            variable: text if variable.startswith("PARAM_") and variable not in NUMBERS else value
            for variable, value in spec.environment.items()
        }
        forced = spec.model_copy(update={"environment": hostile})
        run_in(tmp_path / str(number), template, forced)
    assert injected(tmp_path) == []
