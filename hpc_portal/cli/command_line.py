"""Run a Typer application: messages in the chosen language, our errors as exit codes."""

import os
import sys
from typing import NoReturn

import typer

from hpc_portal.cli import language
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.on_demand import translate_help
from hpc_portal.cli.render import err, print_error


def run(app: typer.Typer, name: str) -> NoReturn:
    """Run the command line of this process and exit."""
    language.activate(language.choose(sys.argv[1:]))
    command = typer.main.get_command(app)
    translate_help(command)
    try:
        code = command(prog_name=name, standalone_mode=True)
    except CliError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print()
        sys.exit(128 + 2)
    except BrokenPipeError:  # `hpc jobs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)
    sys.exit(code)
