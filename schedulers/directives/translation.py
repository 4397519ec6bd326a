"""A translated script: what each header line becomes, what is wrong, and the job that it asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schedulers.directives.asked import GROUPS, Asked, assemble
from schedulers.directives.circumstances import Circumstances
from schedulers.directives.getopt import Given
from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.reasons import N_
from schedulers.directives.shown import shown
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import JobSpec


class Dialect(StrEnum):
    """Whose header lines they are."""

    SBATCH = "sbatch"
    BSUB = "bsub"
    NONE = "none"
    """The script has no header lines."""


@dataclass(frozen=True, slots=True)
class TranslatedOption:
    """One option and what it comes to, for people to check before they submit."""

    option: str
    """As it is written: `--mem-per-cpu=2G`."""
    line: int
    """From 1; 0 is the command line."""
    field: str
    """Of the JobSpec: `resources.memory_mib_per_node`; "" when it has no effect."""
    value: str
    """What the field is in the end, all options taken together: `8 GiB`."""
    note: str = ""
    """Why it has no effect; a sentence that pages translate."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The outcome. `spec` is None when there are problems; all of them are listed."""

    dialect: Dialect
    options: tuple[TranslatedOption, ...]
    problems: tuple[DirectiveProblem, ...]
    spec: JobSpec | None


OVERRIDDEN = N_("It has no effect: another option takes its place.")


def translate(
    script: str,
    sources: Sequence[Sequence[Given]],
    problems: Iterable[DirectiveProblem],
    *,
    circumstances: Circumstances,
    dialect: Dialect,
) -> Translation:
    """Put options together: those of a later source win over those of an earlier one, as the last in each."""
    found = list(problems)
    asked = Asked()
    winners: dict[str, Given] = {}
    for source in sources:
        changes: dict[str, Any] = {}
        setters: dict[str, Given] = {}
        for given in source:
            if given.option.refusal:
                found.append(DirectiveProblem(given.line, given.text, given.option.refusal))
            elif given.option.key:
                try:
                    changes[given.option.key] = _read(given, circumstances)
                except InvalidJobSpec as error:
                    found.append(DirectiveProblem(given.line, given.text, error.text, error.facts))
                except ValidationError as error:
                    found += [_refused(given, item) for item in _details(error)]
                setters[given.option.key] = given
        for key in _taken_back(setters):
            changes.setdefault(key, _DEFAULTS[key])
            winners.pop(key, None)
        asked = replace(asked, **changes)
        winners |= setters
    spec = None
    if not found:
        spec = _assembled(asked, script, winners, circumstances, found)
    everything = [given for source in sources for given in source if not given.option.refusal]
    everything.sort(key=lambda given: (not given.line, given.line))
    rows = tuple(_row(given, winners, spec) for given in everything)
    found.sort(key=lambda problem: problem.line)
    return Translation(dialect, rows, tuple(found), spec)


_DEFAULTS: Mapping[str, Any] = {item.name: item.default for item in fields(Asked)}


def _taken_back(setters: Mapping[str, Given]) -> set[str]:
    """What an earlier source said in another way."""
    return {key for group in GROUPS if group.intersection(setters) for key in group.difference(setters)}


def _read(given: Given, circumstances: Circumstances) -> object:
    option = given.option
    try:
        if option.read_within is not None:
            return option.read_within(given.value or "", circumstances)
        return given.value if option.read is None else option.read(given.value)
    except (InvalidJobSpec, ValidationError):
        raise
    except (ValueError, OverflowError) as error:  # thousands of digits, which Python does not read
        raise InvalidJobSpec(
            option.key, "%(text)r is not a whole number", text=(given.value or "")[:20]
        ) from error


def _assembled(
    asked: Asked,
    script: str,
    winners: Mapping[str, Given],
    circumstances: Circumstances,
    problems: list[DirectiveProblem],
) -> JobSpec | None:
    try:
        return assemble(asked, script=script, name=circumstances.name, launch=circumstances.launch)
    except ValidationError as error:
        problems += [_out_of_range(item, winners) for item in _details(error)]
    except InvalidJobSpec as error:
        problems.append(_placed(error.field, error.text, error.facts, winners))
    return None


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


def _refused(given: Given, item: ErrorDetails) -> DirectiveProblem:
    _, text, facts = _reason(item)
    return DirectiveProblem(given.line, given.text, text, facts)


def _out_of_range(item: ErrorDetails, winners: Mapping[str, Given]) -> DirectiveProblem:
    return _placed(*_reason(item), winners)


def _reason(item: ErrorDetails) -> tuple[str, str, Mapping[str, str | int]]:
    """Which field, and why; a JobSpec's own words go before pydantic's."""
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, InvalidJobSpec):
        return cause.field, cause.text, cause.facts
    location = ".".join(str(part) for part in item["loc"])
    return location, "%(problem)s", {"problem": item["msg"].removeprefix("Value error, ")}


def _placed(
    field_name: str, text: str, facts: Mapping[str, str | int], winners: Mapping[str, Given]
) -> DirectiveProblem:
    """At the option that set the field, if one did."""
    last = field_name.rpartition(".")[2]
    for given in winners.values():
        if given.option.field.rpartition(".")[2] == last:
            return DirectiveProblem(given.line, given.text, text, facts)
    return DirectiveProblem(0, "", text, facts)


def _row(given: Given, winners: Mapping[str, Given], spec: JobSpec | None) -> TranslatedOption:
    option = given.option
    if not option.key:
        return TranslatedOption(given.text, given.line, "", "", option.note)
    if winners.get(option.key) is not given:
        return TranslatedOption(given.text, given.line, "", "", OVERRIDDEN)
    return TranslatedOption(given.text, given.line, option.field, shown(spec, option.field) if spec else "")
