"""Translates a script with #BSUB lines (LSF's bsub) into the same fields as #SBATCH lines. Pure.

bsub's options have one dash and often more than one letter; a value stands apart or attached (`-n4`). Several
say more than one thing (`-J name[1-10]%2`, `-R "span[ptile=4] rusage[mem=2G]"`): they give one row for each.
"""

from collections.abc import Iterator, Sequence

from schedulers.directives import bsub_resources, bsub_values
from schedulers.directives.bsub_options import OPTIONS
from schedulers.directives.getopt import Arity, Given, Option
from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.words import Word, header_of, late_lines
from schedulers.errors import InvalidJobSpec

MAGIC = "#BSUB"
_BY_NAME = {option.name: option for option in OPTIONS}
_MEMORY = "memory_per_node"


def read_script(script: str) -> tuple[list[Given], list[DirectiveProblem]]:
    """The options in the script's header."""
    header = header_of(script, MAGIC)
    items = list(_options(header.words))
    given = [item for item in items if isinstance(item, Given)]
    problems = [item for item in items if isinstance(item, DirectiveProblem)]
    late = [
        DirectiveProblem(
            number, MAGIC, "bsub reads this line, and sbatch does not: move it above the first command"
        )
        for number in late_lines(script, MAGIC)
    ]
    return _largest_memory_last(given), [*header.problems, *problems, *late]


def _options(words: Sequence[Word]) -> Iterator[Given | DirectiveProblem]:
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        option, attached = _find(word.text)
        if option is None:
            yield DirectiveProblem(word.line, word.text, "There is no such option.")
        elif option.arity is Arity.NONE:
            yield Given(option, None, word.line, word.text)
        elif attached:
            yield from _said(option, attached, word.line)
        elif place < len(words):
            yield from _said(option, words[place].text, word.line)
            place += 1
        else:
            yield DirectiveProblem(word.line, word.text, "This option needs a value.")


def _find(text: str) -> tuple[Option | None, str]:
    """The option and what is attached to it; the longest name wins, so that `-oo x` is not `-o ox`."""
    name = text.removeprefix("-")
    if name in _BY_NAME and text.startswith("-"):
        return _BY_NAME[name], ""
    for length in range(len(name) - 1, 0, -1):
        option = _BY_NAME.get(name[:length])
        if option and option.arity is Arity.REQUIRED and text.startswith("-"):
            return option, name[length:]
    return None, ""


def _said(option: Option, value: str, line: int) -> Iterator[Given | DirectiveProblem]:
    """Everything that one option says."""
    text = f"-{option.name} {value}"
    try:
        match option.name:
            case "J":
                parts = bsub_values.name_and_array(value)
            case "R":
                parts = bsub_resources.read(value)
            case _:
                parts = ()
    except InvalidJobSpec as error:
        yield DirectiveProblem(line, text, error.text, error.facts)
        return
    if not parts:
        yield Given(option, value, line, text)
    for part, part_value in parts:
        yield Given(part, part_value, line, text)


def _largest_memory_last(given: list[Given]) -> list[Given]:
    """Of a reservation (`rusage[mem=]`) and a limit (`-M`) the larger counts: here they are the same."""
    memory = [item for item in given if item.option.key == _MEMORY and item.option.read]
    others = [item for item in given if item.option.key != _MEMORY]
    return others + sorted(memory, key=_mib)


def _mib(given: Given) -> int:
    try:
        return int(given.option.read(given.value)) if given.option.read else 0
    except InvalidJobSpec:
        return 0
