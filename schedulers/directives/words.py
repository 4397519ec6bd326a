"""Finds the header lines of a batch script and takes them apart into words, exactly as sbatch does. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from schedulers.directives.problems import DirectiveProblem

_SPACE = " \t\n\v\f\r"
"""What isspace(3) says in the C locale."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a header line."""

    text: str
    line: int
    """From 1; 0 is the command line."""


@dataclass(frozen=True, slots=True)
class Header:
    """The words of all header lines of one dialect."""

    words: tuple[Word, ...]
    problems: tuple[DirectiveProblem, ...]


def header_of(script: str, magic: str) -> Header:
    """The words behind `magic` (`#SBATCH`) in the script's comments before its first command.

    A line counts only if it starts with `magic` at its very beginning: `##SBATCH` and ` #SBATCH` are plain
    comments. Quotes group, a backslash takes the next character as it is, and an unquoted `#` starts a
    comment, also within a word. There are no continued lines.
    """
    words: list[Word] = []
    problems: list[DirectiveProblem] = []
    for number, line in _comments(script):
        if not line.startswith(magic):
            continue
        try:
            words += [Word(text, number) for text in split(line.removeprefix(magic))]
        except _UnmatchedQuote as error:
            problems.append(
                DirectiveProblem(number, line.strip(), "The quote %(quote)s is not closed.", error.facts)
            )
    return Header(tuple(words), tuple(problems))


def late_lines(script: str, magic: str) -> list[int]:
    """Numbers of the lines that start with `magic` after the first command, where sbatch overlooks them."""
    last = max((number for number, _ in _comments(script)), default=0)
    lines = script.split("\n")
    return [number for number, line in enumerate(lines, 1) if number > last and line.startswith(magic)]


def _comments(script: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(script.split("\n"), 1):
        stripped = line.lstrip(_SPACE)
        if stripped and not stripped.startswith("#"):
            return
        yield number, line


class _UnmatchedQuote(Exception):
    def __init__(self, quote: str) -> None:
        super().__init__(quote)
        self.facts = {"quote": quote}


def split(text: str) -> list[str]:
    """The words of one header line, as sbatch's `_get_argument` finds them."""
    words: list[str] = []
    place = 0
    while True:
        word, place = _word(text, place)
        if not word:
            return words
        words.append(word)


def _word(text: str, place: int) -> tuple[str, int]:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    found: list[str] = []
    quote = ""
    while place < len(text) and (quote or text[place] not in _SPACE):
        char = text[place]
        place += 1
        if char == "\\":
            found.append(text[place : place + 1])
            place += 1
        elif quote:
            if char == quote:
                quote = ""
            else:
                found.append(char)
        elif char in "\"'":
            quote = char
        elif char == "#":
            place = len(text)
        else:
            found.append(char)
    if quote:
        raise _UnmatchedQuote(quote)
    return "".join(found), place
