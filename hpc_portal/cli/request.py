"""From a template's parameters, in a file or as options, to the body of a submission."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from workloads.number_ranges import expand


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
    """A value as the template's JSON Schema types it: comma lists, `k=v` pairs, numbers, switches, text.

    Of a field that holds files each item is the path of one, whose text goes along. Nothing is "none" where
    a single value may be none.
    """
    node = schema
    for name in path:
        node = _resolve(node, schema).get("properties", {}).get(name, {})
    is_nullable = any(choice.get("type") == "null" for choice in node.get("anyOf", ()))
    node = _resolve(node, schema)
    if is_nullable and not text and node.get("type") not in {"array", "object"}:
        return None
    return _typed(text, node, schema)


def _typed(text: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    match node.get("type"):
        case "string":
            return text
        case "array" if not text.startswith("["):
            items = _resolve(node.get("items", {}), schema)
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if items.get("type") in {"integer", "number"}:
                parts = [number for part in parts for number in expand(part)]
            return [_typed(part, items, schema) for part in parts]
        case "object" if node.get("widget") == "files" and not text.startswith("{"):
            return dict(_file(part.strip()) for part in text.split(",") if part.strip())
        case "object" if not text.startswith("{"):
            pairs = (parse_assignment("-p", part) for part in text.split(",") if part)
            return {name: _json_or_text(value) for name, value in pairs}
        case _:
            return _json_or_text(text)


def _file(word: str) -> tuple[str, str]:
    """A file of this machine by the path that the job knows it by: `PATH`, or `NAME=PATH`."""
    name, equals, place = word.partition("=")
    path = Path(place if equals else word)
    known_by = path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
    return name if equals else known_by, read_text(path)


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
