"""What a request for quota must look like; what is refused here changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hpc_portal.app.errors import Problem
from hpc_portal.app.requests.transitions import RequestKind
from quotas.amounts import STORAGE, Asset
from quotas.checks import LARGEST_AMOUNT, LONGEST_ASSET_NAME
from quotas.money import VND
from schedulers import tres
from schedulers.errors import InvalidJobSpec
from schedulers.units import CITY_TIME

SHORTEST_PURPOSE = 10
LONGEST_TEXT = 4000
MOST_LINES = 40
LONGEST_PERIOD = timedelta(days=3 * 366)
LONGEST_SURGE = timedelta(days=92)
FARTHEST_START = timedelta(days=2 * 366)


@dataclass(frozen=True, slots=True)
class WantedQuota:
    """What a request asks for, as somebody entered it."""

    kind: RequestKind
    lines: Mapping[Asset, int] = field(default_factory=dict)
    """TRES-seconds, đồng under `VND`, GiB under `storage`. None at all for an extension."""
    valid_from: datetime | None = None
    """For new, renewing and surge grants; the others begin where their allocation stands."""
    valid_to: datetime | None = None
    """Not included. An increase ends with its allocation."""
    purpose: str = ""
    reasons: Mapping[Asset, str] = field(default_factory=dict)
    allocation_id: UUID | None = None
    """What to renew, extend or increase; None: the project's allocation that ends last."""


@dataclass(frozen=True, slots=True)
class Target:
    """The allocation that a request is about."""

    id: UUID
    valid_from: datetime
    valid_to: datetime
    assets: frozenset[Asset]


def line_problems(wanted: WantedQuota, known: frozenset[Asset]) -> list[Problem]:
    """Of its lines. `known` are the resources of the clusters and price list; empty: nothing is known yet."""
    if wanted.kind is RequestKind.EXTEND:
        return [
            Problem("lines", "An extension asks for time only. To ask for more, ask for an increase.")
        ] * bool(wanted.lines)
    if not wanted.lines:
        return [Problem("lines", "Ask for at least one resource.")]
    if len(wanted.lines) > MOST_LINES:
        return [Problem("lines", "Ask for at most %(most)s resources at once.", {"most": MOST_LINES})]
    return [
        problem for asset, amount in wanted.lines.items() if (problem := _line_problem(asset, amount, known))
    ]


def text_problems(wanted: WantedQuota) -> list[Problem]:
    """Of what people wrote; an empty purpose is only missed when the request is submitted."""
    texts = {"purpose": wanted.purpose, **{f"reason.{asset}": text for asset, text in wanted.reasons.items()}}
    found = [
        Problem(name, "Write at most %(most)s characters.", {"most": LONGEST_TEXT})
        for name, text in texts.items()
        if len(text) > LONGEST_TEXT
    ]
    found += [Problem(name, "Remove the NUL character.") for name, text in texts.items() if "\0" in text]
    return found


def purpose_problem(purpose: str) -> Problem | None:
    """Whether a reviewer has anything to judge by."""
    if len(purpose.strip()) >= SHORTEST_PURPOSE:
        return None
    return Problem(
        "purpose", "Say what it is for, in at least %(least)s characters.", {"least": SHORTEST_PURPOSE}
    )


def period_problems(wanted: WantedQuota, target: Target | None, now: datetime) -> list[Problem]:
    """Of its period, as it stands now."""
    match wanted.kind:
        case RequestKind.EXTEND:
            return _extension_problems(wanted.valid_to, target, now)
        case RequestKind.INCREASE:
            return _increase_problems(wanted, target, now)
        case RequestKind.NEW | RequestKind.RENEW | RequestKind.SURGE:
            return _grant_problems(wanted, target, now)


def first_today(now: datetime) -> datetime:
    """The beginning of the city's day."""
    return now.astimezone(CITY_TIME).replace(hour=0, minute=0, second=0, microsecond=0)


def _line_problem(asset: Asset, amount: int, known: frozenset[Asset]) -> Problem | None:
    name = f"lines.{asset}"
    if asset not in {VND, STORAGE} and not _is_tres(asset):
        return Problem(name, "%(asset)s is nothing that can be granted.", {"asset": asset})
    if known and asset not in known | {VND, STORAGE}:
        return Problem(
            name,
            "There is no %(asset)s in this city. There is: %(known)s.",
            {"asset": asset, "known": ", ".join(sorted(known))},
        )
    if type(amount) is not int or amount <= 0:
        return Problem(name, "Ask for more than nothing.")
    if amount > LARGEST_AMOUNT:
        return Problem(name, "This is more than any cluster has. Check the number.")
    return None


def _is_tres(name: str) -> bool:
    try:
        tres.require_tres(name)
    except InvalidJobSpec:
        return False
    return len(name) <= LONGEST_ASSET_NAME


def _grant_problems(wanted: WantedQuota, target: Target | None, now: datetime) -> list[Problem]:
    begin, end = wanted.valid_from, wanted.valid_to
    if begin is None or end is None:
        missing = [("valid_from", begin), ("valid_to", end)]
        return [Problem(name, "Say from which day until which day.") for name, at in missing if at is None]
    if naive := [name for name, at in (("valid_from", begin), ("valid_to", end)) if at.tzinfo is None]:
        return [Problem(name, "Give the time zone, such as 2026-12-01T00:00:00+07:00.") for name in naive]
    found: list[Problem] = []
    if begin >= end:
        found.append(Problem("valid_to", "The period must end after it begins."))
    if end <= now:
        found.append(Problem("valid_to", "This period is over. Choose one that has not ended."))
    elif begin < first_today(now):
        found.append(Problem("valid_from", "A period begins today at the earliest."))
    if begin - now > FARTHEST_START:
        found.append(Problem("valid_from", "A period begins within two years."))
    longest = LONGEST_SURGE if wanted.kind is RequestKind.SURGE else LONGEST_PERIOD
    if end - begin > longest:
        found.append(
            Problem(
                "valid_to", "Ask for at most %(days)s days in this kind of request.", {"days": longest.days}
            )
        )
    if wanted.kind is RequestKind.RENEW:
        found += _renewal_problems(begin, target)
    return found


def _renewal_problems(begin: datetime, target: Target | None) -> list[Problem]:
    if target is None:
        return [_no_target()]
    if begin < target.valid_to:
        return [
            Problem(
                "valid_from",
                "The allocation to renew ends on %(day)s: begin then, or ask for an increase instead.",
                {"day": _day(target.valid_to)},
            )
        ]
    return []


def _extension_problems(end: datetime | None, target: Target | None, now: datetime) -> list[Problem]:
    if target is None:
        return [_no_target()]
    if end is None:
        return [Problem("valid_to", "Say until which day.")]
    if end.tzinfo is None:
        return [Problem("valid_to", "Give the time zone, such as 2026-12-01T00:00:00+07:00.")]
    found: list[Problem] = []
    if end <= target.valid_to:
        found.append(
            Problem(
                "valid_to",
                "The allocation already lasts until %(day)s. Ask for a later day.",
                {"day": _day(target.valid_to)},
            )
        )
    if end <= now:
        found.append(Problem("valid_to", "This period is over. Choose one that has not ended."))
    if end - now > LONGEST_PERIOD:
        found.append(
            Problem(
                "valid_to",
                "Ask for a day within the next %(days)s days.",
                {"days": LONGEST_PERIOD.days},
            )
        )
    return found


def _increase_problems(wanted: WantedQuota, target: Target | None, now: datetime) -> list[Problem]:
    if target is None:
        return [_no_target()]
    if target.valid_to <= now:
        return [
            Problem(
                "allocation_id",
                "This allocation ended on %(day)s. Ask for a new one, or a renewal.",
                {"day": _day(target.valid_to)},
            )
        ]
    return [
        Problem(
            f"lines.{asset}",
            "The allocation has no line for %(asset)s to increase. Ask for a new grant.",
            {"asset": asset},
        )
        for asset in wanted.lines
        if asset not in target.assets
    ]


def _no_target() -> Problem:
    return Problem(
        "allocation_id",
        "The project has no such allocation that is in force. Ask for a new one.",
    )


def _day(at: datetime) -> str:
    """The last day of a period that ends here, as the city writes it."""
    return (at - timedelta(microseconds=1)).astimezone(CITY_TIME).strftime("%d/%m/%Y")


def granted_problems(asked: Mapping[Asset, int], granted: Mapping[Asset, int]) -> list[Problem]:
    """Of what an administrator wants to grant of it."""
    found = [
        Problem(f"granted.{asset}", "%(asset)s was not asked for.", {"asset": asset})
        for asset in granted.keys() - asked.keys()
    ]
    found += [
        Problem(f"granted.{asset}", "Grant between nothing and what was asked for.")
        for asset, amount in granted.items()
        if asset in asked and (type(amount) is not int or not 0 <= amount <= asked[asset])
    ]
    if asked and not found and not any(granted.values()):
        found.append(Problem("granted", "This grants nothing. Deny the request instead."))
    return found


def messages_problem(message: str, *, needed: bool) -> Sequence[Problem]:
    """Of what is said with a deed."""
    if needed and not message.strip():
        return [Problem("message", "Say why: whoever asked reads it.")]
    if len(message) > LONGEST_TEXT or "\0" in message:
        return [Problem("message", "Write at most %(most)s characters.", {"most": LONGEST_TEXT})]
    return []
