"""A translated batch script in words: each header line, and what becomes of each of its options."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hpc_portal.web.language import Language
from hpc_portal.web.say_validation import say_sentence
from schedulers.directives.translation import Dialect, TranslatedOption, Translation
from workloads.forms import form_fields
from workloads.script import ScriptParameters
from workloads.script_header import field_of_form
from workloads.template import N_


class Outcome(StrEnum):
    """What becomes of an option."""

    FIELD = "field"
    """A field of the form says it."""
    HEADER = "header"
    """It has an effect, and the script's header goes on saying it."""
    PAYER = "payer"
    """It says which project pays."""
    IGNORED = "ignored"
    """It changes nothing here; the reason says why."""
    REFUSED = "refused"


OUTCOMES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.FIELD: ("run", N_("Field of the form")),
    Outcome.HEADER: ("run", N_("Stays in the header")),
    Outcome.PAYER: ("run", N_("Project")),
    Outcome.IGNORED: ("off", N_("No effect")),
    Outcome.REFUSED: ("bad", N_("Refused")),
}
"""Tone and word; a tone is a part of a class."""

_FIELDS = {
    "account": N_("Who pays"),
    "begin_at": N_("Begins not before"),
    "comment": N_("Comment"),
    "constraint": N_("Features of the nodes"),
    "dependencies": N_("Waits for jobs"),
    "environment": N_("Environment"),
    "exclude_nodes": N_("Nodes left out"),
    "exclusive": N_("Nodes for itself alone"),
    "hold": N_("Held until it is released"),
    "mail_on": N_("Mail on"),
    "nice": N_("Starts later than others"),
    "nodelist": N_("Nodes"),
    "qos": N_("Quality of service"),
    "requeue.on_node_fail": N_("Runs again when a node fails"),
    "reservation": N_("Reservation"),
    "resources.ntasks_per_node": N_("MPI tasks on each node"),
    "stderr_path": N_("File of errors"),
    "stdout_path": N_("File of output"),
    "warning_signal": N_("Signal before the end"),
    "working_directory": N_("Working directory"),
}
"""What the header alone can say, by the job's field."""


@dataclass(frozen=True, slots=True)
class ShownOption:
    """One option of a line."""

    option: str
    outcome: Outcome
    text: str
    """What it sets, or why it does nothing or is refused."""
    value: str = ""

    @property
    def tone(self) -> str:
        """A part of a class."""
        return OUTCOMES[self.outcome][0]

    @property
    def word(self) -> str:
        """Untranslated."""
        return OUTCOMES[self.outcome][1]


@dataclass(frozen=True, slots=True)
class ShownHeaderLine:
    """One line of the script's header."""

    number: int
    """0: the script as a whole."""
    text: str
    options: Sequence[ShownOption]


@dataclass(frozen=True, slots=True)
class ShownTranslation:
    """All of it."""

    dialect: str
    """`#SBATCH`, `#BSUB`, or "" for a script without header lines."""
    lines: Sequence[ShownHeaderLine]
    refused: int
    plain_lines: int
    """Those that are no header: they run as they are."""


def show_translation(script: str, translation: Translation, language: Language) -> ShownTranslation:
    """In the reader's language."""
    by_line: dict[int, list[ShownOption]] = {}
    for problem in translation.problems:
        text = say_sentence(problem.text, problem.facts, language)
        by_line.setdefault(problem.line, []).append(ShownOption(problem.option, Outcome.REFUSED, text))
    for line, option in _options(translation.options, language):
        by_line.setdefault(line, []).append(option)
    lines = script.split("\n")
    has_header = translation.dialect is not Dialect.NONE
    return ShownTranslation(
        dialect=f"#{translation.dialect.name}" if has_header else "",
        lines=[
            ShownHeaderLine(number, lines[number - 1] if number else "", options)
            for number, options in sorted(by_line.items())
        ],
        refused=len(translation.problems),
        plain_lines=len([line for line in lines if line.strip()]) - len([one for one in by_line if one]),
    )


def _options(options: Sequence[TranslatedOption], language: Language) -> Iterator[tuple[int, ShownOption]]:
    titles = {field.name: field.title for field in form_fields(ScriptParameters)}
    for one in options:
        if not one.field:
            yield one.line, ShownOption(one.option, Outcome.IGNORED, language.text(one.note))
            continue
        in_form = field_of_form(one.field)
        outcome = Outcome.FIELD if in_form else Outcome.HEADER
        if one.field == "account":
            outcome = Outcome.PAYER
        title = titles[in_form] if in_form else _FIELDS.get(one.field, one.field)
        yield one.line, ShownOption(one.option, outcome, language.text(title), one.value)
