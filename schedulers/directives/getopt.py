"""Reads words as options as getopt_long(3) does: abbreviations, bundles, values apart or attached. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from schedulers.directives.circumstances import Circumstances
from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.words import Word


class Arity(Enum):
    """Whether an option takes a value."""

    NONE = auto()
    REQUIRED = auto()
    OPTIONAL = auto()
    """Attached only: `--nice=5`, never `--nice 5`."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option and what it means for a job."""

    name: str
    short: str = ""
    arity: Arity = Arity.REQUIRED
    key: str = ""
    """The field of `Asked` that it sets; "" sets none."""
    field: str = ""
    """The field of a JobSpec that people are shown."""
    read: Callable[..., Any] | None = None
    """From the text to the value of `key`; None takes the text as it is."""
    read_within: Callable[[str, Circumstances], Any] | None = None
    """The same, where the value depends on more than the text."""
    refusal: str = ""
    """Why we do not support it; "" when we do."""
    note: str = ""
    """Why it changes nothing, where it sets no field."""


@dataclass(frozen=True, slots=True)
class Given:
    """An option that was found."""

    option: Option
    value: str | None
    line: int
    text: str
    """As it is written, with its value."""


def parse(words: Sequence[Word], options: Sequence[Option]) -> tuple[list[Given], list[DirectiveProblem]]:
    """The options in order, and everything that is none."""
    items = list(_Reader(words, options))
    return [i for i in items if isinstance(i, Given)], [i for i in items if isinstance(i, DirectiveProblem)]


class _Reader:
    def __init__(self, words: Sequence[Word], options: Sequence[Option]) -> None:
        self._words = words
        self._place = 0
        self._long = {option.name: option for option in options}
        self._short = {option.short: option for option in options if option.short}

    def __iter__(self) -> Iterator[Given | DirectiveProblem]:
        while self._place < len(self._words):
            word = self._words[self._place]
            self._place += 1
            if word.text.startswith("--") and len(word.text) > 2:  # noqa: PLR2004 - the two dashes
                yield self._read_long(word)
            elif word.text.startswith("-") and word.text not in {"-", "--"}:
                yield from self._read_short(word)
            else:
                yield DirectiveProblem(
                    word.line, word.text, "This is no option. A value with a space needs quotes."
                )

    def _read_long(self, word: Word) -> Given | DirectiveProblem:
        name, equals, attached = word.text.removeprefix("--").partition("=")
        option = self._find(word, name)
        if isinstance(option, DirectiveProblem):
            return option
        value = attached if equals else None
        if option.arity is Arity.NONE and equals:
            return DirectiveProblem(word.line, word.text, "This option takes no value.")
        if option.arity is Arity.REQUIRED and value is None:
            return self._with_next(option, word, f"--{option.name}")
        return Given(option, value, word.line, word.text)

    def _find(self, word: Word, name: str) -> Option | DirectiveProblem:
        """By its whole name, or by a beginning that no other option shares."""
        if name in self._long:
            return self._long[name]
        candidates = [option for full, option in self._long.items() if full.startswith(name)]
        if not candidates:
            return DirectiveProblem(word.line, word.text, "There is no such option.")
        if len({option.key or option.name for option in candidates}) > 1:
            names = ", ".join(f"--{option.name}" for option in candidates)
            return DirectiveProblem(
                word.line, word.text, "This abbreviation may mean any of %(names)s.", {"names": names}
            )
        return candidates[0]

    def _read_short(self, word: Word) -> Iterator[Given | DirectiveProblem]:
        rest = word.text[1:]
        while rest:
            letter, rest = rest[0], rest[1:]
            option = self._short.get(letter)
            if option is None:
                yield DirectiveProblem(word.line, f"-{letter}", "There is no such option.")
            elif option.arity is Arity.NONE:
                yield Given(option, None, word.line, f"-{letter}")
            elif rest or option.arity is Arity.OPTIONAL:
                yield Given(option, rest or None, word.line, f"-{letter}{rest}")
                return
            else:
                yield self._with_next(option, Word(word.text, word.line), f"-{letter}")

    def _with_next(self, option: Option, word: Word, name: str) -> Given | DirectiveProblem:
        if self._place >= len(self._words):
            return DirectiveProblem(word.line, name, "This option needs a value.")
        value = self._words[self._place].text
        self._place += 1
        return Given(option, value, word.line, f"{name} {value}")
