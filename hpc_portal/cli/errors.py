"""What ends a command early, with the exit code that tells scripts why.

CliError                 1   something failed; the message says what
├── UsageProblem         2   the command line is wrong
├── NotSignedIn          3   no token, or one that is no longer good
│   └── CodeNeeded           the password was right, a one-time code is missing
├── Refused              4   the portal said no; `fields` names what to change
├── NotFound             5   no such thing, or none that this person may see
└── Unreachable          6   the portal did not answer
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hpc_portal.cli.exits import Exit


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that the portal did not take, and why."""

    field: str
    message: str


class CliError(Exception):
    """Base of everything that ends a command; the message is printed as it is."""

    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str, fields: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class UsageProblem(CliError):
    """The command line is wrong."""

    exit_code = Exit.USAGE


class NotSignedIn(CliError):
    """There is no token, or the portal no longer takes it."""

    exit_code = Exit.NOT_SIGNED_IN


class CodeNeeded(NotSignedIn):
    """The password was right, and a one-time code has to come with it."""


class Refused(CliError):
    """The portal said no to the request as it was."""

    exit_code = Exit.REFUSED


class NotFound(CliError):
    """No such thing, or none that this person may see."""

    exit_code = Exit.NOT_FOUND


class Unreachable(CliError):
    """The portal did not answer."""

    exit_code = Exit.UNREACHABLE
