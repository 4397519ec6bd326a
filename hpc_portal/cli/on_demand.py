"""Commands whose modules are imported when they are given: no other command, and no help, waits for them."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from hpc_portal.cli.language import gettext as _


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command or group is defined, and how the help of its program introduces it."""

    name: str
    where: str
    """`module:attribute` below hpc_portal.cli: a Typer application, or the function of a command."""
    help: str
    """The first paragraph of its own help."""
    takes_sbatch_options: bool = False


class OnDemandCommand(TyperCommand):
    """Stands for a command until its arguments are to be read."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.name, help=place.help)
        self._place = place

    def load(self) -> Any:  # noqa: ANN401 - Typer's own command classes are private
        """The command itself, with its help in English."""
        module, _colon, attribute = self._place.where.partition(":")
        found = getattr(_imported(f"hpc_portal.cli.{module}"), attribute)
        parent = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
        if isinstance(found, typer.Typer):
            parent.add_typer(found, name=self._place.name)
        else:
            sbatch = {"allow_extra_args": True, "ignore_unknown_options": True}
            settings = sbatch if self._place.takes_sbatch_options else None
            parent.command(self._place.name, context_settings=settings)(found)
        group: Any = typer.main.get_group(parent)
        return group.commands[self._place.name]

    def make_context(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as above
        """The context of the command itself: from here on the stand-in is out of the way."""
        command = self.load()
        translate_help(command)
        return command.make_context(*arguments, **more)


class OnDemandGroup(TyperGroup):
    """A program; its own commands come first in its help, then those of `places`."""

    places: ClassVar[Sequence[Place]] = ()

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - what Typer passes
        super().__init__(**more)
        for place in self.places:
            self.add_command(OnDemandCommand(place))


def _imported(name: str) -> ModuleType:
    """Code is no garbage: to look for some in it, again and again, takes a sixth of a long import."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


def every_command(app: typer.Typer) -> Any:  # noqa: ANN401 - as above
    """A program with every command itself in its place, for those who look at all of them."""
    program: Any = typer.main.get_command(app)
    for name, command in program.commands.items():
        if isinstance(command, OnDemandCommand):
            program.commands[name] = command.load()
    return program


def translate_help(command: Any) -> None:  # noqa: ANN401 - as above
    """Every help text of the command and of what is below it, into the chosen language."""
    for owner in help_owners(command):
        if owner.help:
            owner.help = _(owner.help)


def help_owners(command: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """The command and everything below it that carries a help text: commands, options, arguments."""
    yield command
    for parameter in command.params:
        if hasattr(parameter, "help"):
            yield parameter
    for child in getattr(command, "commands", {}).values():
        yield from help_owners(child)
