"""The one entry: a script of whatever dialect, with options on top, becomes a translation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from schedulers.directives import bsub, sbatch
from schedulers.directives.circumstances import Circumstances, Resolve
from schedulers.directives.getopt import Given
from schedulers.directives.problems import DirectiveProblem
from schedulers.directives.reasons import LATE
from schedulers.directives.translation import Dialect, TranslatedOption, Translation, translate
from schedulers.directives.words import late_lines
from schedulers.jobspec import Launch


def translate_script(  # noqa: PLR0913 - the script, and what a person may say beside it
    script: str,
    *,
    name: str,
    now: datetime,
    options: Sequence[str] = (),
    launch: Launch | None = None,
    resolve: Resolve | None = None,
) -> Translation:
    """What a script with #SBATCH or #BSUB lines asks for, or every reason why it cannot be translated.

    Args:
        script: the whole of it. Where it has #SBATCH lines, #BSUB lines are plain comments.
        name: the job's name where no option gives one: the script's file name.
        now: with the zone in which the script means its times.
        options: as on sbatch's command line; they win over the script's.
        launch: where it starts on several nodes; None is the first node for a script with header lines, which
            was written for sbatch or bsub, and every node for one without.
        resolve: from what a person calls a job to its id; None takes whole ids only.
    """
    dialect = dialect_of(script)
    given, problems = _READERS[dialect](script)
    on_top, wrong = sbatch.read_options(options)
    default = Launch.EVERY_NODE if dialect is Dialect.NONE else Launch.FIRST_NODE
    translation = translate(
        script,
        (given, on_top),
        [*_whole_script(script, dialect), *problems, *wrong],
        circumstances=Circumstances(
            name=name, now=now, resolve=resolve or _whole_id, launch=launch or default
        ),
        dialect=dialect,
    )
    return replace(translation, options=(*translation.options, *_overlooked(script, dialect)))


def _nothing(script: str) -> tuple[list[Given], list[DirectiveProblem]]:
    del script
    return [], []


_READERS: Mapping[Dialect, Callable[[str], tuple[list[Given], list[DirectiveProblem]]]] = {
    Dialect.SBATCH: sbatch.read_script,
    Dialect.BSUB: bsub.read_script,
    Dialect.NONE: _nothing,
}


def _overlooked(script: str, dialect: Dialect) -> list[TranslatedOption]:
    if dialect is not Dialect.SBATCH:
        return []
    lines = script.split("\n")
    late = late_lines(script, sbatch.MAGIC)
    return [TranslatedOption(lines[number - 1].strip(), number, "", "", LATE) for number in late]


def dialect_of(script: str) -> Dialect:
    """Whose header lines the script has; #SBATCH goes before #BSUB."""
    lines = script.split("\n")
    if any(line.startswith(sbatch.MAGIC) for line in lines):
        return Dialect.SBATCH
    return Dialect.BSUB if any(line.startswith(bsub.MAGIC) for line in lines) else Dialect.NONE


def _whole_script(script: str, dialect: Dialect) -> list[DirectiveProblem]:
    found = []
    if "\r\n" in script:
        number = script[: script.index("\r\n")].count("\n") + 1
        found.append(
            DirectiveProblem(
                number,
                "",
                "The lines end as on Windows (CR LF), which no shell reads: convert the file with dos2unix.",
            )
        )
    if dialect is Dialect.NONE:
        found += [
            DirectiveProblem(number, line.strip(), "The portal reads #SBATCH and #BSUB lines, not #PBS.")
            for number, line in enumerate(script.split("\n"), 1)
            if line.startswith("#PBS ")
        ]
    return found


def _whole_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
