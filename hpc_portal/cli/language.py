"""The language of messages: Vietnamese or English, by --lang, HPC_LANG or the shell's locale."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

LANGUAGES = ("vi", "en")
LOCALES = Path(__file__).parent / "locales"
_DECIDERS = ("HPC_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


class _Chosen:
    language = "en"


def choose(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """The language that the command line asks for, else the shell's, else English."""
    for position, argument in enumerate(arguments):
        if argument == "--lang" and position + 1 < len(arguments):
            return _known(arguments[position + 1])
        if argument.startswith("--lang="):
            return _known(argument.removeprefix("--lang="))
    decider = next((environment[name] for name in _DECIDERS if environment.get(name)), "en")
    return _known(decider)


def activate(language: str) -> None:
    """Show messages in this language from now on."""
    _Chosen.language = _known(language)


def active() -> str:
    """The language that messages are shown in."""
    return _Chosen.language


def gettext(message: str, **facts: object) -> str:
    """The message in the chosen language, with {facts} filled in; English where it is not translated."""
    translated = catalogue(_Chosen.language).get(message, message)
    return translated.format(**facts) if facts else translated


def ngettext(one: str, many: str, count: int, **facts: object) -> str:
    """The message for this count; {count} is filled in."""
    if _Chosen.language == "en":
        return (one if count == 1 else many).format(count=count, **facts)
    return gettext(many, count=count, **facts)  # Vietnamese has one form


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Translations by English text; {} for English itself."""
    path = LOCALES / language / "LC_MESSAGES" / "cli.po"
    if not path.exists():
        return {}
    from babel.messages.pofile import read_po  # noqa: PLC0415 - English needs no catalogue and no tenth of a second

    with path.open(encoding="utf-8") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string and not m.fuzzy}


def _known(text: str) -> str:
    return "vi" if text.lower().startswith("vi") else "en"
