"""Which prices were in force when, and what each version changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hpc_portal.app.errors import NotFound
from hpc_portal.app.prices.queries import ShownList, price_lists
from quotas.compare_prices import PriceChange, compare


@dataclass(frozen=True, slots=True)
class PastVersion:
    """A published version in its place in time."""

    published: ShownList
    replaced: int | None
    """The version in force before it; None: there was none, or it never came into force."""
    until: datetime | None
    """When it ceased to be in force; None: it is, may still be, or never was."""
    changes: tuple[PriceChange, ...]
    """Against the version that it replaced."""


def price_history(connection: Connection, at: datetime) -> list[PastVersion]:
    """Every version that was ever published, the newest in front."""
    lists = price_lists(connection, at)
    return [_placed(one, lists, at) for one in lists]


def price_list_at(connection: Connection, instant: datetime, *, now: datetime) -> ShownList:
    """The list by which a job was priced that was submitted at that instant, or will be by what is known now.

    Raises:
        NotFound: none was in force then.
    """
    found = in_force_at(price_lists(connection, now), instant)
    if found is None:
        raise NotFound("price list", instant.isoformat())
    return found


def in_force_at(lists: Iterable[ShownList], at: datetime) -> ShownList | None:
    """The latest begin not after `at` among those not retired by then, the higher version of two. Pure."""
    held = [one for one in lists if one.valid_from <= at and (one.retired_at is None or one.retired_at > at)]
    return max(held, key=lambda one: (one.valid_from, one.version), default=None)


def _placed(one: ShownList, lists: Sequence[ShownList], now: datetime) -> PastVersion:
    if in_force_at(lists, one.valid_from) is not one:
        return PastVersion(one, None, None, ())
    before = in_force_at([other for other in lists if other is not one], one.valid_from)
    changes = compare(before.items if before else (), one.items)
    return PastVersion(one, before.version if before else None, _until(one, lists, now), tuple(changes))


def _until(one: ShownList, lists: Sequence[ShownList], now: datetime) -> datetime | None:
    """The first instant after its begin at which another one was in force, or none."""
    moments = sorted(
        {other.valid_from for other in lists} | {other.retired_at for other in lists if other.retired_at}
    )
    later = (moment for moment in moments if one.valid_from < moment <= now)
    return next((moment for moment in later if in_force_at(lists, moment) is not one), None)
