"""Messages in Vietnamese and English."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from babel.messages.pofile import read_po

import hpc_portal.cli
from hpc_portal.app import demo as city
from hpc_portal.cli import language, operator, user
from hpc_portal.cli.on_demand import every_command, help_owners

SOURCES = sorted(Path(hpc_portal.cli.__file__).parent.rglob("*.py"))
MARKERS = {"_", "N_", "gettext", "ngettext"}


def marked_messages() -> Iterator[str]:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
                literals = [a.value for a in node.args if isinstance(a, ast.Constant)]
                yield from (text for text in literals[-1:] if isinstance(text, str))


def help_texts() -> Iterator[str]:
    for app in (user.app, operator.app):
        for command in (typer.main.get_command(app), every_command(app)):
            for owner in help_owners(command):
                if owner.help and not getattr(owner, "hidden", False):
                    yield owner.help


def used_messages() -> set[str]:
    roles = {person.role for person in city.PEOPLE}
    return {*marked_messages(), *help_texts(), *roles} - {"Show this message and exit."}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", [code for code in language.LANGUAGES if code != "en"])
def test_every_message_is_translated(code: str) -> None:
    missing = used_messages() - set(language.catalogue(code))
    assert not missing, "\n\n".join(f"msgid {text!r}" for text in sorted(missing))


@pytest.mark.parametrize("code", [code for code in language.LANGUAGES if code != "en"])
def test_nothing_is_translated_that_nobody_says(code: str) -> None:
    assert not set(language.catalogue(code)) - used_messages()


@pytest.mark.parametrize("code", [code for code in language.LANGUAGES if code != "en"])
def test_nothing_is_fuzzy_or_empty(code: str) -> None:
    with (language.LOCALES / code / "LC_MESSAGES" / "cli.po").open(encoding="utf-8") as file:
        messages = [message for message in read_po(file) if message.id]
    assert [message.id for message in messages if message.fuzzy or not message.string] == []


def test_translations_keep_the_placeholders() -> None:
    for message, translated in language.catalogue("vi").items():
        if "{" in message:
            assert placeholders(translated) == placeholders(message), message


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--lang", "vi"], {"LANG": "en_US.UTF-8"}, "vi"),
        (["--lang=en"], {"HPC_LANG": "vi"}, "en"),
        ([], {"HPC_LANG": "vi", "LC_ALL": "en_US.UTF-8"}, "vi"),
        ([], {"LC_ALL": "", "LANG": "vi_VN.UTF-8"}, "vi"),
        ([], {"LANG": "C.UTF-8"}, "en"),
        ([], {}, "en"),
    ],
)
def test_the_language_is_the_wish_then_the_shells(
    arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    assert language.choose(arguments, environment) == expected


def test_a_count_takes_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language._Chosen, "language", "en")
    assert language.ngettext("{count} job", "{count} jobs", 1) == "1 job"
    assert language.ngettext("{count} job", "{count} jobs", 2) == "2 jobs"
