"""From options as sbatch users write them to the body of a submission."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hpc_portal.cli.errors import FieldProblem, UsageProblem
from hpc_portal.cli.language import gettext as _
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.units import parse_memory_mib, parse_walltime

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScriptOptions:
    """What `hpc submit SCRIPT` takes beside the script; "" and None leave the portal's default."""

    name: str = ""
    nodes: int = 1
    ntasks: int | None = None
    cpus: int = 1
    memory: str = ""
    gpus: str = ""
    """`h100:2`, `h100:2,a100:1` or `2` of any type; on each node."""
    licenses: str = ""
    """`vcs:1,dc:2`."""
    time: str = ""
    array: str = ""
    partition: str = ""
    environment: Sequence[str] = ()
    """`K=V` each."""
    after_ok: Sequence[str] = ()
    """Complete ids of jobs that must have completed."""


def script_body(project: str, script: Path, options: ScriptOptions) -> dict[str, Any]:
    """The body that submits a script.

    Raises:
        UsageProblem: an option cannot be read, or they contradict each other.
    """
    try:
        resources = ResourceRequest(
            nodes=options.nodes,
            ntasks=options.ntasks or options.nodes,
            cpus_per_task=options.cpus,
            memory_mib_per_node=_given("--memory", parse_memory_mib, options.memory) or 1024,
            gpus_per_node=parse_counts("--gpus", options.gpus),
            licenses=parse_counts("--licenses", options.licenses),
            walltime_seconds=_given("--time", parse_walltime, options.time),
        )
        spec = JobSpec.model_validate(
            {
                "name": options.name or script.stem,
                "script": read_text(script),
                "environment": dict(parse_assignment("--env", item) for item in options.environment),
                "partition": options.partition or None,
                "resources": resources,
                "array": ArraySpec(expression=options.array) if options.array else None,
                "dependencies": [{"kind": "afterok", "job_id": job_id} for job_id in options.after_ok],
            }
        )
    except ValidationError as error:
        raise UsageProblem(_("The job contradicts itself:"), _field_problems(error)) from error
    return {"project": project, "spec": spec.model_dump(mode="json", exclude_defaults=True)}


def template_body(
    project: str, template: str, schema: Mapping[str, Any], file: Path | None, assignments: Sequence[str]
) -> dict[str, Any]:
    """The body that submits a template: parameters of the file, then those of the command line.

    Raises:
        UsageProblem: the file cannot be read, or an assignment is no `key=value`.
    """
    parameters = read_parameters(file) if file else {}
    for item in assignments:
        name, value = parse_assignment("-p", item)
        _store(parameters, name.split("."), coerce(value, schema, name.split(".")))
    return {"project": project, "template": template, "parameters": parameters}


def read_parameters(file: Path) -> dict[str, Any]:
    """Parameters from a TOML or JSON file, told apart by its name.

    Raises:
        UsageProblem: it cannot be read as one.
    """
    text = read_text(file)
    try:
        found = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:  # both decoders' errors are ValueErrors
        raise UsageProblem(_("{file}: {problem}", file=file, problem=error)) from error
    if not isinstance(found, dict):
        raise UsageProblem(_("{file} must hold names and values.", file=file))
    return found


def coerce(text: str, schema: Mapping[str, Any], path: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """A value as the template's JSON Schema types it: comma lists, `k=v` pairs, numbers, switches, text."""
    node = schema
    for name in path:
        node = _resolve(_resolve(node, schema).get("properties", {}).get(name, {}), schema)
    return _typed(text, node, schema)


def _typed(text: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    match node.get("type"):
        case "string":
            return text
        case "array" if not text.startswith("["):
            items = _resolve(node.get("items", {}), schema)
            return [_typed(part.strip(), items, schema) for part in text.split(",") if part.strip()]
        case "object" if not text.startswith("{"):
            pairs = (parse_assignment("-p", part) for part in text.split(",") if part)
            return {name: _json_or_text(value) for name, value in pairs}
        case _:
            return _json_or_text(text)


def parse_counts(option: str, text: str) -> dict[str, int]:
    """`h100:2,a100` as {"h100": 2, "a100": 1}; a bare number has the name ""."""
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, count = part.rpartition(":")
        if not colon:
            name, count = ("", part) if part.isdecimal() else (part, "1")
        if not count.isdecimal():
            raise UsageProblem(_("{option}: {part} is not like h100:2.", option=option, part=part))
        counts[name] = counts.get(name, 0) + int(count)
    return counts


def parse_assignment(option: str, text: str) -> tuple[str, str]:
    """Name and value of `name=value`.

    Raises:
        UsageProblem: there is no `=`, or nothing before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageProblem(_("{option}: {text} is not like name=value.", option=option, text=text))
    return name, value


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        UsageProblem: it cannot be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise UsageProblem(_("{file} cannot be read: {problem}", file=path, problem=problem)) from error


def _given(option: str, parse: Callable[[str], T], text: str) -> T | None:
    if not text:
        return None
    try:
        return parse(text)
    except InvalidJobSpec as error:
        raise UsageProblem(f"{option}: {error.problem}") from error


def _field_problems(error: ValidationError) -> list[FieldProblem]:
    return [_field_problem(item) for item in error.errors(include_url=False, include_input=False)]


def _field_problem(item: ErrorDetails) -> FieldProblem:
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, InvalidJobSpec):
        return FieldProblem(cause.field, cause.problem)
    return FieldProblem(".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, "))


def _resolve(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if reference := node.get("$ref"):
        found: Mapping[str, Any] = schema.get("$defs", {}).get(str(reference).rpartition("/")[2], {})
        return found
    choices = [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolve(choices[0], schema) if len(choices) == 1 else node


def _json_or_text(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except ValueError:
        return text


def _store(parameters: dict[str, Any], path: Sequence[str], value: Any) -> None:  # noqa: ANN401 - JSON
    *parents, last = path
    for name in parents:
        parameters = parameters.setdefault(name, {})
        if not isinstance(parameters, dict):
            raise UsageProblem(_("{name} has no parts.", name=name))
    parameters[last] = value
