"""Placeholders of a script body: each becomes a quoted word that reads a variable, never the value itself.

So the script is the same text for all values, and no value is ever read as shell, whatever it holds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workloads.errors import FieldProblem
from workloads.site.document import Document
from workloads.site.fields import (
    MANY,
    BooleanParameter,
    ChoiceParameter,
    FileParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
)
from workloads.site.shell_text import Place, places
from workloads.template import N_

BUILT_IN = ("cpus", "memory_mib", "task", "row", "column")
"""What every script may ask for besides its parameters; row and column in arrays only."""

RESERVED = (*BUILT_IN, "name", "resources", "only_tasks", "seed_offset")

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_.-]*)\s*\}\}")
_BARE = re.compile(r"\$\{?#?!?(PARAM_|param_)")
_SHELL_IN_SHELL = re.compile(r"(?<![\w./-])(eval|(?:ba|da|k|z|)sh\s+(?:-\w+\s+)*-\w*c)(?![\w-])")
_ARITHMETIC = re.compile(r"\(\(|\[\[|\blet\b|\bdeclare\b|\$\{[^}]*\[")
_NUMBERS = (IntegerParameter, NumberParameter, BooleanParameter)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    line: int
    place: Place
    in_arithmetic: bool


def variable(name: str) -> str:
    """The environment variable that carries a parameter's value."""
    return f"PARAM_{name.upper()}"


def words_name(name: str) -> str:
    """The bash array that holds a parameter's words."""
    return f"param_{name}"


def is_word_list(parameter: Parameter) -> bool:
    """Whether its placeholder stands for any number of words, none included."""
    return isinstance(parameter, (*MANY, BooleanParameter, FileParameter)) or bool(parameter.option)


def fill(document: Document) -> str:
    """The body with every placeholder as a quoted expansion."""

    def word(found: re.Match[str]) -> str:
        name = found[1]
        parameter = document.parameters.get(name)
        if parameter is not None and is_word_list(parameter):
            return f'"${{{words_name(name)}[@]}}"'
        return f'"${{{variable(name)}}}"'

    return _PLACEHOLDER.sub(word, document.script)


def problems(document: Document) -> Iterator[FieldProblem]:
    """What is wrong with how the body uses values."""
    known = document.parameters
    for found in _placeholders(document.script):
        if found.name not in known and found.name not in _built_in(document):
            text = N_(
                "There is no parameter %(name)s. Declare it under parameters, or use one of: %(known)s."
            )
            names = ", ".join([*known, *_built_in(document)])
            yield _problem(text, line=found.line, name=found.name or "{{}}", known=names)
        elif found.place is Place.HERE_DOCUMENT:
            text = N_(
                "A here-document would paste %(name)s into another language. "
                "Read the environment there: $::env(%(variable)s) in Tcl."
            )
            yield _problem(text, line=found.line, name=found.name, variable=variable(found.name))
        elif found.place in (Place.SINGLE_QUOTES, Place.DOUBLE_QUOTES):
            text = N_("Write %(name)s without quotes around it; it gets its own.")
            yield _problem(text, line=found.line, name=f"{{{{{found.name}}}}}")
        elif found.in_arithmetic and not _is_number(known, found.name):
            text = N_(
                "Bash computes what stands there, and %(name)s may be any text. "
                "Compare it with [ ... ] or case."
            )
            yield _problem(text, line=found.line, name=found.name)
    yield from _shell_problems(document.script)


def _shell_problems(script: str) -> Iterator[FieldProblem]:
    for number, line, where in places(script):
        for bare in _BARE.finditer(line):
            if where[bare.start()] in (Place.CODE, Place.DOUBLE_QUOTES, Place.HERE_DOCUMENT):
                text = N_(
                    "Values are written as placeholders, {{name}}, which are "
                    "always quoted, and never as $PARAM_NAME."
                )
                yield _problem(text, line=number)
        for inner in _SHELL_IN_SHELL.finditer(line):
            if where[inner.start()] is Place.CODE:
                text = N_("%(command)s would read values as commands. Leave it out.")
                yield _problem(text, line=number, command=inner[1])


def _placeholders(script: str) -> Iterator[_Found]:
    for number, line, where in places(script):
        for found in _PLACEHOLDER.finditer(line):
            place = where[found.start()]
            yield _Found(found[1], number, place, _ARITHMETIC.search(line) is not None)


def _built_in(document: Document) -> tuple[str, ...]:
    return BUILT_IN if document.array else BUILT_IN[:3]


def _is_number(known: Mapping[str, Parameter], name: str) -> bool:
    parameter = known.get(name)
    if parameter is None:
        return name in ("cpus", "memory_mib", "task", "column")
    return isinstance(parameter, _NUMBERS) or (
        isinstance(parameter, ChoiceParameter) and all(choice.isdecimal() for choice in parameter.choices)
    )


def _problem(text: str, *, line: int, **facts: object) -> FieldProblem:
    return FieldProblem("script", text % facts if facts else text, "script", text, facts, place=str(line))
