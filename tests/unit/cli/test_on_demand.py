"""Commands whose modules are imported when they are given."""

import subprocess
import sys

import pytest
import typer

from hpc_portal.cli import operator, user
from hpc_portal.cli.on_demand import every_command

PROGRAMS = {"user": user.app, "operator": operator.app}
HEAVY = {"alembic", "babel", "distributed", "fastapi", "httpx", "pydantic", "sqlalchemy"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_introduces_each_command_as_that_introduces_itself(program: str) -> None:
    introduced: dict[str, typer.core.TyperCommand] = typer.main.get_command(PROGRAMS[program]).commands  # type: ignore[attr-defined]
    for name, command in every_command(PROGRAMS[program]).commands.items():
        first_paragraph = command.help.partition("\n\n")[0].replace("\n", " ")
        assert introduced[name].help == first_paragraph, name
        assert command.name == name


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_shown_without_what_commands_need(program: str) -> None:
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"from hpc_portal.cli.{program} import main\n"
        "sys.argv[1:] = ['--lang', 'en', '--help']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--help" in done.stdout
    assert not HEAVY & set(done.stderr.split())
