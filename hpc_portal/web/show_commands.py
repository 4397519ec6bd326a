"""What a filled-in form is in a terminal: the `hpc` command and the API call that submit the same job."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from workloads.forms import FormField, Widget
from workloads.template import Parameters

_BREAK = " \\\n  "
_LINE_END = "\n"
_PLAIN = re.compile(r"(?!(?:true|false|null|NaN|Infinity)$)[A-Za-z_][\w./:%+-]*", re.ASCII)
"""A text that stands for itself in a comma list, and that nobody takes for a number or a switch."""
_FILE = re.compile(r"[\w][\w./+-]*", re.ASCII)


def changed_parameters(fields: Sequence[FormField], parameters: Parameters) -> dict[str, Any]:
    """The values, as JSON has them, that are not the template's defaults, under their dotted names."""
    defaults = _flat(fields, type(parameters).model_construct().model_dump(mode="json", warnings=False))
    given = _flat(fields, parameters.model_dump(mode="json"))
    return {name: value for name, value in given.items() if name not in defaults or defaults[name] != value}


def request_body(project: str, reference: str, changed: Mapping[str, Any]) -> dict[str, Any]:
    """What `POST /jobs` takes."""
    nested: dict[str, Any] = {}
    for dotted, value in changed.items():
        *parents, last = dotted.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return {"project": project, "template": reference, "parameters": nested}


def hpc_command(
    project: str,
    reference: str,
    fields: Sequence[FormField],
    changed: Mapping[str, Any],
    *,
    script: str | None = None,
) -> str:
    """The command line for a shell; files are named as they lie in the folder where it is run.

    A script that was edited by hand goes along as a here-document, word for word.
    """
    files = {one.name for one in fields if one.widget is Widget.FILES}
    words = [f"--template {shlex.quote(reference)}", f"--project {shlex.quote(project)}"]
    for name, value in changed.items():
        said = _named_files(value) if name in files else _said(value)
        words.append(f"-p {shlex.quote(f'{name}={said}')}")
    if script is None:
        return _BREAK.join([f"hpc submit {words[0]}", *words[1:]])
    end = _word_not_in(script)
    command = _BREAK.join([f"hpc submit {words[0]}", *words[1:], f"--script-from - <<'{end}'"])
    return f"{command}\n{script.rstrip(_LINE_END)}\n{end}"


def _word_not_in(script: str) -> str:
    """A line that ends a here-document and is none of its own."""
    lines = frozenset(script.split("\n"))
    return next(word for number in count() if (word := f"SCRIPT{number or ''}") not in lines)


def curl_command(address: str, body: Mapping[str, Any]) -> str:
    """The same as an API call; `address` is the portal's, without a slash at its end."""
    call = _BREAK.join(
        [
            f"curl -sS {shlex.quote(f'{address}/api/v1/jobs')}",
            '-H "Authorization: Bearer $HPC_TOKEN"',
            "-H 'Content-Type: application/json'",
            "--data-binary @- <<'JSON'",
        ]
    )
    return f"{call}\n{json.dumps(body, ensure_ascii=False, indent=2)}\nJSON"


def _flat(fields: Sequence[FormField], nested: Mapping[str, Any]) -> dict[str, Any]:
    """The values of form fields by their dotted names; those that are not there are left out."""
    found: dict[str, Any] = {}
    for one in fields:
        place: Any = nested
        for part in one.name.split("."):
            if not isinstance(place, Mapping) or part not in place:
                break
            place = place[part]
        else:
            found[one.name] = place
    return found


def _said(value: object) -> str:
    """A value as `hpc submit -p` reads it: text as it is, short lists with commas, else JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list() if all(map(_is_plain, value)):
            return ",".join(map(str, value))
        case dict() if all(map(_is_plain, [*value, *value.values()])):
            return ",".join(f"{name}={item}" for name, item in value.items())
        case _:
            return json.dumps(value, ensure_ascii=False)


def _is_plain(value: object) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number or (isinstance(value, str) and _PLAIN.fullmatch(value) is not None)


def _named_files(texts: Mapping[str, str]) -> str:
    """The files' names; as JSON with their texts where `hpc` could not tell the names apart."""
    return ",".join(texts) if _are_names(texts) else json.dumps(dict(texts), ensure_ascii=False)


def _are_names(paths: Iterable[str]) -> bool:
    return all(_FILE.fullmatch(path) and PurePosixPath(path).as_posix() == path for path in paths)
