"""What a document's keys must have to do with each other; each problem names its key."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pydantic_core
from pydantic import ValidationError

from schedulers.jobspec import ResourceRequest
from workloads.errors import FieldProblem
from workloads.site.amounts import Amount
from workloads.site.document import Document, MetricRule
from workloads.site.fields import (
    Access,
    BooleanParameter,
    ChoiceParameter,
    FileParameter,
    FilesParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
    default_of,
)
from workloads.site.json_path import JsonPath
from workloads.site.model import model_of
from workloads.site.patterns import InvalidPattern, Pattern
from workloads.site.placeholders import RESERVED, problems
from workloads.site.script import script_of
from workloads.template import N_

_BASH_SECONDS = 20
_CHOSEN = (ChoiceParameter,)
_COUNTED = (IntegerParameter, BooleanParameter, ListParameter, FilesParameter, FileParameter)


def check(document: Document) -> Iterator[FieldProblem]:
    """Everything that is wrong although each key alone is right; nothing when it can be published."""
    yield from _environment(document)
    found = False
    for problem in _parameters(document):
        found = True
        yield problem
    for problem in [*_amounts(document), *_array(document), *_results(document), *problems(document)]:
        found = True
        yield problem
    if not found:  # a model and a script can be made of it
        yield from _defaults(document)
        yield from _shell(document)


def _problem(key: str, text: str, **facts: object) -> FieldProblem:
    return FieldProblem(key, text % facts if facts else text, "document", text, facts)


def _environment(document: Document) -> Iterator[FieldProblem]:
    for name in document.environment:
        if (
            name.startswith(("HPC_", "SLURM_", "PARAM_", "CUDA_VISIBLE_DEVICES", "LD_PRELOAD"))
            or name == "PATH"
        ):
            text = N_("A template cannot set %(name)s. What goes before PATH stands under tool.paths.")
            yield _problem(f"environment.{name}", text, name=name)


def _parameters(document: Document) -> Iterator[FieldProblem]:
    for name, parameter in document.parameters.items():
        key = f"parameters.{name}"
        if name in RESERVED:
            text = N_("Every template has %(name)s already. Choose another name.")
            yield _problem(key, text, name=name)
        if parameter.access is not Access.OPEN and default_of(parameter) is None:
            yield _problem(f"{key}.access", N_("What nobody can change needs a default."))
        if parameter.access is Access.LOCKED and isinstance(
            parameter, (ListParameter, FilesParameter, FileParameter)
        ):
            text = N_("A list or a file cannot be locked, only hidden or open.")
            yield _problem(f"{key}.access", text)
        yield from _bounds(key, parameter)


def _bounds(key: str, parameter: Parameter) -> Iterator[FieldProblem]:
    low, high = getattr(parameter, "minimum", 0), getattr(parameter, "maximum", 0)
    if low > high:
        text = N_("The minimum %(low)s is above the maximum %(high)s.")
        yield _problem(f"{key}.minimum", text, low=low, high=high)
    if isinstance(parameter, ChoiceParameter) and parameter.default not in parameter.choices:
        text = N_("%(default)r is none of the choices: %(choices)s.")
        yield _problem(
            f"{key}.default", text, default=parameter.default, choices=", ".join(parameter.choices)
        )
    if isinstance(parameter, FilesParameter) and not set(parameter.listed or ()) <= set(parameter.suffixes):
        yield _problem(f"{key}.listed", N_("Only what stands in suffixes can be listed."))
    pattern = getattr(parameter, "pattern", None)
    if pattern:
        try:
            pydantic_core.SchemaValidator({"type": "str", "pattern": pattern})
        except pydantic_core.SchemaError as error:
            yield _bad_pattern(f"{key}.pattern", str(error).strip().splitlines()[-1])


def _bad_pattern(key: str, words: str) -> FieldProblem:
    text = N_(
        "This pattern cannot be read: %(problem)s. Look-around and back references do not exist here, "
        "since they can take for ever."
    )
    return _problem(key, text, problem=words)


def _amounts(document: Document) -> Iterator[FieldProblem]:
    resources = document.resources
    named: list[tuple[str, Amount]] = [
        *(
            (f"resources.{name}", getattr(resources, name))
            for name in ("cpus", "memory_mib", "walltime_seconds")
        ),
        ("resources.gpus", resources.gpus),
        *((f"licences.{feature}", amount) for feature, amount in document.licences.items()),
    ]
    for key, amount in named:
        for name in amount.each:
            if not isinstance(document.parameters.get(name), _COUNTED):
                text = N_(
                    "%(name)s cannot be counted: it must be a whole number, yes or no, a list or files."
                )
                yield _problem(f"{key}.each", text, name=name)
        for name, table in amount.by.items():
            parameter = document.parameters.get(name)
            if not isinstance(parameter, _CHOSEN):
                yield _problem(f"{key}.by", N_("%(name)s is no parameter of type choice."), name=name)
            elif unknown := set(table) - set(parameter.choices):
                text = N_("%(choice)s is no choice of %(name)s.")
                yield _problem(f"{key}.by", text, choice=min(unknown), name=name)
        if amount.minimum and amount.maximum and amount.minimum > amount.maximum:
            text = N_("The minimum %(low)s is above the maximum %(high)s.")
            yield _problem(f"{key}.minimum", text, low=amount.minimum, high=amount.maximum)


def _array(document: Document) -> Iterator[FieldProblem]:
    array = document.array
    if array is None:
        return
    if not (array.rows or array.columns):
        yield _problem("array", N_("An array needs rows, columns, or both."))
    if array.waves:
        yield from _waves(document, array.waves)
    rows = document.parameters.get(array.rows or "")
    if array.rows and not (isinstance(rows, ListParameter) and rows.items == "word" and rows.minimum >= 1):
        text = N_(
            "%(name)s must be a parameter of type list whose items are words, with a minimum of 1 or more."
        )
        yield _problem("array.rows", text, name=array.rows)
    for key, name, least in (("columns", array.columns, 1), ("first_column", array.first_column, 0)):
        parameter = document.parameters.get(name or "")
        if name and not (isinstance(parameter, IntegerParameter) and parameter.minimum >= least):
            text = N_("%(name)s must be a parameter of type integer with a minimum of %(least)s or more.")
            yield _problem(f"array.{key}", text, name=name, least=least)


def _waves(document: Document, name: str) -> Iterator[FieldProblem]:
    parameter = document.parameters.get(name)
    if not isinstance(parameter, BooleanParameter) or parameter.access is not Access.OPEN:
        text = N_("%(name)s must be a parameter of type boolean that people can change.")
        yield _problem("array.waves", text, name=name)


def _results(document: Document) -> Iterator[FieldProblem]:
    rules = document.results
    if not rules.pass_patterns and not rules.needs:
        text = N_("Say how a success is told: exit codes of many tools do not. Give pass patterns, or needs.")
        yield _problem("results", text)
    for key, lines in (("pass", rules.pass_patterns), ("fail", rules.fail_patterns)):
        for number, line in enumerate(lines):
            yield from _pattern(f"results.{key}.{number}", line.pattern)
    for name in set(rules.needs) - set(rules.metrics):
        yield _problem("results.needs", N_("There is no metric %(name)s."), name=name)
    for name, rule in rules.metrics.items():
        yield from _metric(f"results.metrics.{name}", rule)
    files = [rules.log, *(one.file for one in (*rules.pass_patterns, *rules.fail_patterns) if one.file)]
    files += [rule.file for rule in rules.metrics.values() if rule.file]
    files += [one.files for one in rules.artefacts]
    if document.array is None and any("{row}" in file or "{column}" in file for file in files):
        yield _problem("results", N_("{row} and {column} exist in arrays only."))


def _metric(key: str, rule: MetricRule) -> Iterator[FieldProblem]:
    if (rule.pattern is None) == (rule.json_path is None):
        yield _problem(key, N_("Give either a pattern or a json path, and only one of them."))
    if rule.pattern is not None:
        yield from _pattern(f"{key}.pattern", rule.pattern, is_number=rule.take != "count")
    if rule.json_path is not None:
        try:
            JsonPath(rule.json_path)
        except ValueError as error:
            text = N_("This json path cannot be read: %(problem)s.")
            yield _problem(f"{key}.json", text, problem=str(error))


def _pattern(key: str, text: str, *, is_number: bool = False) -> Iterator[FieldProblem]:
    try:
        found = Pattern(text)
    except InvalidPattern as error:
        yield _bad_pattern(key, str(error))
        return
    if is_number and not found.groups:
        text = N_("Put the number in round brackets: area (\\d+). Other groups are written (?:...).")
        yield _problem(key, text)


def _defaults(document: Document) -> Iterator[FieldProblem]:
    """Defaults go through the same checks as what people type."""
    given: dict[str, Any] = {
        name: default
        for name, parameter in document.parameters.items()
        if parameter.access is not Access.HIDDEN and (default := default_of(parameter)) is not None
    }
    try:
        model_of(document, "en").model_validate(given)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            if item["type"] != "missing":
                name = str(item["loc"][0])
                key = f"parameters.{name}.default" if name in document.parameters else name
                text = N_("The default is wrong itself: %(problem)s.")
                yield _problem(key, text, problem=item["msg"].removeprefix("Value error, "))
    try:
        ResourceRequest(licenses=dict.fromkeys(document.licences, 1))
    except ValidationError as error:
        text = N_("The default is wrong itself: %(problem)s.")
        yield _problem("licences", text, problem=error.errors()[0]["msg"])


def _shell(document: Document) -> Iterator[FieldProblem]:
    """What `bash -n` says, which reads a script and runs nothing of it."""
    script = script_of(document)
    checked = subprocess.run(
        ["/bin/bash", "-n"],
        input=script.encode(),
        capture_output=True,
        timeout=_BASH_SECONDS,
        check=False,
    )
    if checked.returncode:
        words = checked.stderr.decode(errors="replace").strip().splitlines() or [""]
        line = words[0].removeprefix("/bin/bash: line ").split(":")[0]
        before = script.count("\n") - document.script.rstrip().count("\n") - 1
        at = int(line) - before if line.isdecimal() else 0
        said = words[0].rpartition(": ")[2]
        text = N_("Bash cannot read this: %(problem)s.")
        yield replace(_problem("script", text, problem=said), place=str(max(1, at)))
