"""A record of the audit log as people read it: in words, with units, and as it was beside as it became."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hpc_portal.app.audit_log.read import OPERATOR_NAME, AuditEntry
from hpc_portal.web.audit_words import DEEDS, FACTS, VALUES
from hpc_portal.web.language import Language
from hpc_portal.web.show_prices import hourly
from hpc_portal.web.show_quota import asset_label, show_asset
from workloads.template import N_

_AMOUNTS = frozenset({"lines", "each", "returned"})
_NUMBERS_OF_THINGS = frozenset({"version", "draft", "copied_from", "uid"})
"""They name something: nothing is counted, and no digits are grouped."""
_STANDS_FOR = ("state", "role", "leads", "cluster_user", "version")
"""What a `was` that is one value was, the first of these that the record has."""
_NUMBERED = {"rule": N_("rule %(number)s"), "version": N_("version %(number)s")}
_EVERYBODY = {
    "everybody": N_("everybody"),
    "every organisation": N_("every organisation"),
    "every project": N_("every project"),
    "every user": N_("every person"),
    "every member": N_("every member"),
}
_YES, _NO = N_("yes"), N_("no")
_CODES = frozenset(
    {
        "change",
        "scope",
        "state",
        "role",
        "kind",
        "organisation_kind",
        "organisation_kinds",
        "global_role",
        "hold_policy",
        "level",
        "why",
    }
)


@dataclass(frozen=True, slots=True)
class ShownFact:
    """One fact of a deed."""

    name: str
    before: str
    """"" where nothing was, or where it is the same."""
    after: str
    """"" where the record tells only how it was."""
    full: str = ""
    """All of an id that is shown shortened."""


@dataclass(frozen=True, slots=True)
class ShownDeed:
    """One row."""

    sequence: int
    at: datetime
    who: str
    address: str
    action: str
    text: str
    subject: str
    facts: tuple[ShownFact, ...]
    hash: str


def show_deed(entry: AuditEntry, language: Language) -> ShownDeed:
    """In the reader's language."""
    return ShownDeed(
        sequence=entry.sequence,
        at=entry.at,
        who=entry.username or OPERATOR_NAME,
        address=entry.address,
        action=entry.action,
        text=say_action(entry.action, language),
        subject=_subject(entry.subject, language),
        facts=tuple(_facts(entry.facts, language)),
        hash=entry.hash,
    )


def say_action(action: str, language: Language) -> str:
    """What was done, in words."""
    return language.text(DEEDS[action]) if action in DEEDS else action


def _subject(subject: str, language: Language) -> str:
    """The name; `rule 3`, `version 4` and `every project` are none, and said in words."""
    word, _, number = subject.partition(" ")
    if word in _NUMBERED and number.isdecimal():
        return language.gettext(_NUMBERED[word], number=number)
    return language.text(_EVERYBODY[subject]) if subject in _EVERYBODY else subject


def _facts(facts: Mapping[str, Any], language: Language) -> list[ShownFact]:
    after = {name: value for name, value in facts.items() if name != "was"}
    if after.get("to") == after.get("state"):
        after.pop("to", None)
    before = _before(facts.get("was"), after)
    if "kind" in after and after["kind"] == "walltime_seconds":
        for side in (before, after):
            if "value" in side:
                side["walltime_seconds"] = side.pop("value")
    shown = []
    for name in [*after, *(name for name in before if name not in after)]:
        was, now = (_say(name, side.get(name), language) for side in (before, after))
        if was or now:
            shown.append(
                ShownFact(_label(name, language), "" if was == now else was, now, _full(after.get(name)))
            )
    return shown


def _before(was: Any, after: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if isinstance(was, Mapping):
        return {"prices": dict(was)} if "prices" in after else dict(was)
    name = next((name for name in _STANDS_FOR if name in after), "state")
    return {} if was is None else {name: was}


def _say(name: str, value: Any, language: Language) -> str:  # noqa: ANN401, PLR0911 - JSON, by what it is
    if value is None:
        return ""
    match value:
        case bool():
            return language.gettext(_YES if value else _NO)
        case int() | float():
            return _number(name, value, language)
        case str():
            return _text(name, value, language)
        case list():
            return ", ".join(_say(name, part, language) for part in value)
        case dict():
            return _named(name, value, language)
    return json.dumps(value, ensure_ascii=False)


def _number(name: str, value: float, language: Language) -> str:
    if name.endswith(("_seconds", "_seconds_per_job")):
        return language.duration(value)
    if name in _NUMBERS_OF_THINGS:
        return str(value)
    if name.endswith("_vnd"):
        return language.vnd(int(value))
    if name == "basis_points":
        return f"{language.number(value / 100, 0 if value % 100 == 0 else 2)} %"
    said = language.number(value, 0 if value == int(value) else 1)
    return f"{said} %" if name.endswith("percent") else said


def _named(name: str, values: Mapping[str, Any], language: Language) -> str:
    if name in _AMOUNTS and all(isinstance(part, int) for part in values.values()):
        return ", ".join(_amount(asset, part, language) for asset, part in values.items())
    if name == "prices":
        return ", ".join(f"{key} {_price(key, part, language)}" for key, part in values.items())
    if name == "students":
        return "; ".join(f"{key}: {_say('lines', part, language)}" for key, part in values.items())
    said = {key: _say(key, part, language) for key, part in values.items()}
    if name == "who_may_use" and not any(said.values()):
        return language.gettext(_EVERYBODY["everybody"])
    return ", ".join(f"{_label(key, language)}: {text}" for key, text in said.items() if text)


def _text(name: str, value: str, language: Language) -> str:
    if name in _CODES and value in VALUES:
        return language.text(VALUES[value])
    if name.startswith("valid_") or name.endswith("_at"):
        try:
            return language.instant(datetime.fromisoformat(value))
        except ValueError:
            return value
    return value[:8] if _full(value) else value


def _full(value: Any) -> str:  # noqa: ANN401 - JSON
    """An id as a whole; "" for everything else."""
    try:
        return value if isinstance(value, str) and str(UUID(value)) == value else ""
    except ValueError:
        return ""


def _amount(asset: str, amount: int, language: Language) -> str:
    said = show_asset(asset, amount, language)
    return said if asset == "VND" else f"{said} {asset_label(asset, language)}"


def _price(name: str, value: Any, language: Language) -> str:  # noqa: ANN401 - JSON
    return hourly(name.partition("@")[0], value, language) if isinstance(value, int) else "–"  # noqa: RUF001 - nothing there


def _label(name: str, language: Language) -> str:
    return language.text(FACTS[name]) if name in FACTS else name
