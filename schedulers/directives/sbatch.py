"""Translates a script with #SBATCH lines, and options as on sbatch's command line, into a JobSpec. Pure.

The option table, the rules of the header block and every form of a value are those of sbatch 24.11; the same
script asks for the same job as with sbatch (tests/contract/sbatch_corpus compares them on a real cluster).
"""

from collections.abc import Sequence

from schedulers.directives.getopt import Given, parse
from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.sbatch_options import OPTIONS
from schedulers.directives.words import Word, header_of

MAGIC = "#SBATCH"


def read_script(script: str) -> tuple[list[Given], list[DirectiveProblem]]:
    """The options in the script's header."""
    header = header_of(script, MAGIC)
    given, problems = parse(header.words, OPTIONS)
    return given, [*header.problems, *problems]


def read_options(words: Sequence[str]) -> tuple[list[Given], list[DirectiveProblem]]:
    """Options as on sbatch's command line: `["-p", "gpu", "--time=1:00:00"]`."""
    return parse([Word(text, 0) for text in words], OPTIONS)
