"""What the portal refuses the operator, in the language of the command: in the words of pages and API."""

from collections.abc import Sequence

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.cli.errors import CliError, FieldProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _


def refused(error: Exception) -> CliError:
    """What the command ends with: the sentence, or one line for each field that is wrong."""
    if isinstance(error, InvalidEntry):
        fields = zip(error.problems, _messages(error), strict=True)
        return CliError(
            _("Some entries are wrong:"), [FieldProblem(problem.field, text) for problem, text in fields]
        )
    return CliError(str(error) if active() == "en" else _said(error)[0])


def _messages(error: InvalidEntry) -> Sequence[str]:
    if active() == "en":
        return [problem.message for problem in error.problems]
    return _said(error)[1]


def _said(error: Exception) -> tuple[str, Sequence[str]]:
    from hpc_portal.web.language import load_languages  # noqa: PLC0415 - only a refusal needs the pages' words
    from hpc_portal.web.say_refusal import refusal_in  # noqa: PLC0415

    said = refusal_in(load_languages()[active()], error, "")
    return said.detail, said.messages
