"""A batch script's header taken into the fields of the form, so that what is changed there counts."""

import shlex
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from schedulers.directives.translation import OVERRIDDEN, Dialect, TranslatedOption, Translation
from schedulers.jobspec import JobSpec
from workloads.errors import InvalidParameters
from workloads.script import Script

_FIELDS: Mapping[str, str] = {
    "name": "name",
    "array": "array",
    "partition": "resources.partition",
    "resources.nodes": "resources.nodes",
    "resources.ntasks": "resources.ntasks",
    "resources.cpus_per_task": "resources.cpus",
    "resources.memory_mib_per_node": "resources.memory_mib",
    "resources.walltime_seconds": "resources.walltime_seconds",
    "resources.gpus_per_node": "resources.gpus_per_node",
    "resources.licenses": "resources.licenses",
}
"""A JobSpec's field, and the form's."""
_PAYER = "account"
"""Which project pays is asked beside the form."""
_NAMED = {Dialect.SBATCH: "#SBATCH --job-name=", Dialect.BSUB: "#BSUB -J "}


def form_of(script: str, translation: Translation) -> dict[str, Any]:
    """Parameters of the template `script` that ask for the same job as the script's header.

    What has a field of its own goes there, and its header line becomes a comment; the rest stays in the
    header, with the job's name, which says whose header it is. A header for which this would not be the same
    job stays as it is.

    Args:
        script: with header lines, or without any.
        translation: of it; one without problems.
    """
    whole = {"script": script}
    if translation.dialect is Dialect.NONE or translation.spec is None:
        return whole
    options = [one for one in translation.options if one.line]
    filled = {"script": _rewritten(script, translation, options), **_values(translation.spec, options)}
    return filled if _renders_the_same(filled, translation.spec) else whole


def payer_of(translation: Translation) -> str:
    """The account that the header names; "" for none."""
    return (translation.spec.account or "") if translation.spec else ""


def field_of_form(field: str) -> str:
    """The form's field for a JobSpec's; "" where the header keeps it."""
    return _FIELDS.get(field, "")


def _values(spec: JobSpec, options: Iterable[TranslatedOption]) -> dict[str, Any]:
    asked = spec.resources
    values: Mapping[str, object] = {
        "name": spec.name,
        "array": spec.array.expression if spec.array else None,
        "partition": spec.partition,
        "resources.nodes": asked.nodes,
        "resources.ntasks": asked.ntasks,
        "resources.cpus_per_task": asked.cpus_per_task,
        "resources.memory_mib_per_node": asked.memory_mib_per_node,
        "resources.walltime_seconds": asked.walltime_seconds,
        "resources.gpus_per_node": {name or "any": count for name, count in asked.gpus_per_node.items()},
        "resources.licenses": dict(asked.licenses),
    }
    found: dict[str, Any] = {"name": spec.name, "resources": {}}
    for name in {one.field for one in options} & set(_FIELDS):
        *inside, last = _FIELDS[name].split(".")
        place = found["resources"] if inside else found
        if values[name] is not None:
            place[last] = values[name]
    return found


def _rewritten(script: str, translation: Translation, options: Iterable[TranslatedOption]) -> str:
    assert translation.spec is not None  # noqa: S101 - asked by the caller
    magic = f"#{translation.dialect.name}"
    lines = script.split("\n")
    for number, group in groupby(options, key=lambda one: one.line):
        if not lines[number - 1].startswith(magic):
            continue
        by_option: dict[str, list[TranslatedOption]] = {}
        for one in group:
            by_option.setdefault(one.option, []).append(one)
        left = [text for text, rows in by_option.items() if not all(map(_is_taken, rows))]
        if len(left) == len(by_option):
            continue
        lines[number - 1] = f"#{lines[number - 1]}"
        if left:
            lines[number - 1] += f"\n{magic} {' '.join(map(_quoted, left))}"
    name = shlex.quote(translation.spec.name)
    return "\n".join([lines[0], f"{_NAMED[translation.dialect]}{name}", *lines[1:]])


def _is_taken(option: TranslatedOption) -> bool:
    return option.field in _FIELDS or option.field == _PAYER or option.note == OVERRIDDEN


def _quoted(option: str) -> str:
    """As words of a header line again: `-R 'select[avx]'`."""
    if option.startswith("--"):
        return shlex.quote(option)
    return " ".join(map(shlex.quote, option.split(" ", 1)))


def _renders_the_same(filled: Mapping[str, Any], spec: JobSpec) -> bool:
    template = Script()
    try:
        made = template.render(template.validate(filled))
    except InvalidParameters:
        return False
    walltime = spec.resources.walltime_seconds or made.resources.walltime_seconds
    resources = spec.resources.model_copy(update={"walltime_seconds": walltime})
    return made == spec.model_copy(update={"script": made.script, "account": None, "resources": resources})
