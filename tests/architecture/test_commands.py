"""Every command line that a page shows would be understood: its command and its options exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpc_portal.cli import operator, user
from hpc_portal.cli.on_demand import every_command
from schedulers.directives.sbatch_options import OPTIONS
from scripts.write_docs import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROGRAMS = {
    "hpc": every_command(user.app),
    "hpc-portal": every_command(operator.app),
}


def command_lines(page: Path) -> Iterator[list[str]]:
    """Lines of shell blocks and inline code that start with one of our programs, cut into words."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for line in [*lines, *re.findall(r"`([^`\n]+)`", outside)]:
        if re.match(r"\s*(?:\.venv/bin/)?hpc(?:-portal)? ", line):
            yield shlex.split(line.strip().removeprefix(".venv/bin/"), comments=True)


def problem(words: list[str]) -> str:
    """What would be wrong with this command line; "" when nothing."""
    command: Any = PROGRAMS[words[0]]
    options = _options(command)
    for word in words[1:]:
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                return f"{shlex.join(words)}: no option {word}"
        elif word in (commands := getattr(command, "commands", {})):
            command = commands[word]
            options |= _options(command)
        elif commands and word != "vi":
            return f"{shlex.join(words)}: no command {word}"
    return ""


def _options(command: Any) -> set[str]:  # noqa: ANN401 - Typer's own command classes are private
    own = {"--help"}.union(*({*option.opts, *option.secondary_opts} for option in command.params))
    if command.context_settings.get("ignore_unknown_options"):  # what is not its own is sbatch's
        return own | {f"--{option.name}" for option in OPTIONS if option.key}
    return own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_on_a_page_would_be_understood(page: Path) -> None:
    assert [found for words in command_lines(page) if (found := problem(words))] == []
