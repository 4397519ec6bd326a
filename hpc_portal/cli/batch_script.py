"""From a script with or without #SBATCH or #BSUB lines, and options, to the job that it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.table import Table

from hpc_portal.cli import render
from hpc_portal.cli.errors import FieldProblem, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.request import parse_assignment, read_text
from schedulers.directives.circumstances import Resolve
from schedulers.directives.script import dialect_of, translate_script
from schedulers.directives.translation import Dialect, Translation
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import JobSpec, Launch

_OPTIONS_OF = {
    "--gpus-per-node": "--gpus",
    "--mem": "--memory",
    "--cpus-per-task": "--cpus",
    "--job-name": "--name",
}
"""What `hpc submit` calls an option of sbatch."""


@dataclass(frozen=True, slots=True)
class ScriptOptions:
    """What a person says beside the script."""

    values: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    """By sbatch's long names; "", None and False say nothing, True is a flag."""
    more: Sequence[str] = ()
    """Further options as on sbatch's command line."""
    environment: Sequence[str] = ()
    """`K=V` each."""
    on_every_node: bool = False

    @property
    def words(self) -> list[str]:
        """The options as on sbatch's command line."""
        said = {name: value for name, value in self.values.items() if value not in {"", None, False}}
        return [*(f"--{name}" if v is True else f"--{name}={v}" for name, v in said.items()), *self.more]


def translate_file(script: Path, options: ScriptOptions, *, resolve: Resolve | None = None) -> Translation:
    """What the script and the options ask for.

    Raises:
        UsageProblem: the file cannot be read, or lines or options of it cannot be translated: all are named.
    """
    text = read_text(script)
    has_header = dialect_of(text) is not Dialect.NONE
    translation = translate_script(
        text,
        name=script.name if has_header else script.stem,
        now=datetime.now().astimezone(),
        options=options.words,
        launch=Launch.EVERY_NODE if options.on_every_node else None,
        resolve=resolve,
    )
    if translation.problems:
        raise UsageProblem(
            _("{file} cannot be submitted as it is:", file=script),
            [FieldProblem(_place(item.line, item.option), item.message) for item in translation.problems],
        )
    return translation


def spec_of(translation: Translation, options: ScriptOptions) -> JobSpec:
    """The job, with the variables of --env.

    Raises:
        UsageProblem: a variable's name is none that a job may set.
    """
    assert translation.spec is not None  # noqa: S101 - it has no problems
    variables = dict(parse_assignment("--env", item) for item in options.environment)
    if not variables:
        return translation.spec
    facts = translation.spec.model_dump()
    try:
        return JobSpec.model_validate({**facts, "environment": facts["environment"] | variables})
    except ValidationError as error:
        fields = [_field_problem(item) for item in error.errors(include_url=False, include_input=False)]
        raise UsageProblem(_("The job contradicts itself:"), fields) from error


def view_of(translation: Translation) -> Table:
    """The header's options and what each comes to."""
    rows = [
        (item.line or "", item.option, item.field, _meaning(item.field, item.value, item.note))
        for item in translation.options
    ]
    return render.table([_("Line"), _("Option"), _("Field"), _("Value")], rows, right=[0])


def json_of(translation: Translation) -> dict[str, Any]:
    """The same for scripts."""
    spec = translation.spec
    return {
        "dialect": translation.dialect,
        "options": [
            {"line": o.line, "option": o.option, "field": o.field, "value": o.value, "note": o.note}
            for o in translation.options
        ],
        "spec": spec.model_dump(mode="json", exclude_defaults=True) if spec else None,
    }


def _meaning(field_name: str, value: str, note: str) -> str:
    return value if field_name else note


def _place(line: int, option: str) -> str:
    name, equals, value = option.partition("=")
    shown = f"{_OPTIONS_OF.get(name, name)}{equals}{value}" if not line else option
    where = _("line {line}", line=line) if line else ""
    return " ".join(filter(None, (where, shown))) or _("job")


def _field_problem(item: ErrorDetails) -> FieldProblem:
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, InvalidJobSpec):
        return FieldProblem(cause.field, cause.problem)
    return FieldProblem(".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, "))
