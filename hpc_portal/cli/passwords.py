"""Get a password without leaving it in the shell's history: a variable, standard input, or a prompt."""

import os
import sys

import typer

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.render import is_interactive


def read_password(*, from_stdin: bool, confirm: bool = False) -> str:
    """The password; asks twice with `confirm`.

    Raises:
        UsageProblem: nowhere to read it from.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if password := os.environ.get("HPC_PASSWORD"):
        return password
    if not is_interactive():
        raise UsageProblem(_("Give the password in HPC_PASSWORD, or with --password-stdin."))
    return str(typer.prompt(_("Password"), hide_input=True, confirmation_prompt=confirm, err=True))
