"""Slow down who guesses passwords: waits that double, counted in the database for all web processes together.

Nobody can lock somebody else out: an address that has not failed with a name may always try once, and a
browser in which its person signed in before has a count of its own. A name that nobody has counts alike.
"""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.accounts.tables import KnownBrowser, SignInFailures
from hpc_portal.app.db import transact
from hpc_portal.app.services import Services
from hpc_portal.app.tables import User
from hpc_portal.auth.errors import TooManyAttempts
from quotas.tables import table_of

FORGOTTEN_AFTER = timedelta(minutes=15)
_FREE_FAILURES = 5
_FREE_OF_ADDRESS = 50
"""Many people may share an address (a campus behind one router)."""
_FREE_OF_NAME = 100
"""From all addresses together: a guesser who has many of them."""
_LONGEST_WAIT_SECONDS = 300
_BITS_OF_A_HOME = 64
"""Whoever has an IPv6 address has so many more of the same network."""

_FAILURES = table_of(SignInFailures)


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt under way; until it succeeds it counts as a failure."""

    own: str
    """Key of the failures that a success forgets."""
    shared: Sequence[tuple[str, int]]
    """Keys of those that it does not, each with how many are free."""

    @property
    def keys(self) -> Sequence[str]:
        """All of them, in the order in which every transaction takes them."""
        return sorted({self.own, *(key for key, _ in self.shared)})


class SignInThrottle:
    """Says who may try now."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def take_turn(self, username: str, address: str, *, browser: str = "") -> Turn:
        """Let pass who may try now, and count it: two at once cannot both be the last free one. Blocks.

        Args:
            username: as it was typed, or what else is guessed at.
            address: where the request came from.
            browser: the secret of a browser that may be known; "" for none.

        Raises:
            TooManyAttempts: with the seconds to wait; a refused attempt is not counted.
        """
        now = self._services.clock.now()
        return transact(self._services.engine, partial(_take_turn, username, address, browser, now))

    def failed(self, turn: Turn) -> None:
        """Begin the wait now: the answer took its time. Blocks."""
        now = self._services.clock.now()
        is_it = col(SignInFailures.key).in_(turn.keys)
        transact(
            self._services.engine,
            lambda connection: connection.execute(update(SignInFailures).where(is_it).values(last_at=now)),
        )

    def take_back(self, turn: Turn) -> None:
        """Do not count this attempt: nothing was guessed. Blocks."""
        transact(self._services.engine, partial(_uncount, turn.keys))

    def succeeded(self, turn: Turn) -> None:
        """Forget the failures of this name from here; of those that are shared only this attempt. Blocks."""
        transact(self._services.engine, partial(_succeed, turn))


def _take_turn(username: str, address: str, browser: str, now: datetime, connection: Connection) -> Turn:
    if browser and _is_known(connection, username, browser):
        turn = Turn(_key("browser", username, browser), ())
    else:
        place = _network(address)
        turn = Turn(
            _key("name and address", username, place),
            ((_key("address", place), _FREE_OF_ADDRESS), (_key("name", username), _FREE_OF_NAME)),
        )
    failures = _read(connection, turn.keys, now)
    waits = [_wait(failures, turn.own, _FREE_FAILURES, now)]
    for number, (key, free) in enumerate(turn.shared):
        is_of_name = number == 1
        if not is_of_name or turn.own in failures:
            waits.append(_wait(failures, key, free, now))
    if max(waits) > 0:
        raise TooManyAttempts(int(max(waits)) + 1)
    for key in turn.keys:
        _count(connection, key, now)
    return turn


def _is_known(connection: Connection, username: str, browser: str) -> bool:
    known = (
        select(col(KnownBrowser.user_id))
        .join(User, col(User.id) == col(KnownBrowser.user_id))
        .where(col(KnownBrowser.secret_hash) == hash_secret(browser), col(User.username) == username)
    )
    return connection.execute(known).first() is not None


def _read(connection: Connection, keys: Sequence[str], now: datetime) -> Mapping[str, tuple[int, datetime]]:
    """How many failures each key has of late, and when the last was."""
    rows = connection.execute(
        select(col(SignInFailures.key), col(SignInFailures.failures), col(SignInFailures.last_at))
        .where(col(SignInFailures.key).in_(keys), col(SignInFailures.last_at) > now - FORGOTTEN_AFTER)
        .order_by(col(SignInFailures.key))
        .with_for_update()
    )
    return {row.key: (row.failures, row.last_at) for row in rows if row.failures}


def _wait(failures: Mapping[str, tuple[int, datetime]], key: str, free: int, now: datetime) -> float:
    count, last = failures.get(key, (0, now))
    if count < free:
        return 0
    wait = min(2.0 ** (count - free), _LONGEST_WAIT_SECONDS)
    return (last - now).total_seconds() + wait


def _count(connection: Connection, key: str, now: datetime) -> None:
    is_old = _FAILURES.c.last_at <= now - FORGOTTEN_AFTER
    first = {"key": key, "failures": 1, "last_at": now}
    one_more = {"failures": case((is_old, 1), else_=_FAILURES.c.failures + 1), "last_at": now}
    if connection.dialect.name == "postgresql":
        new = postgresql.insert(_FAILURES).values(first)
        connection.execute(new.on_conflict_do_update(index_elements=["key"], set_=one_more))
    else:
        here = sqlite.insert(_FAILURES).values(first)
        connection.execute(here.on_conflict_do_update(index_elements=["key"], set_=one_more))


def _succeed(turn: Turn, connection: Connection) -> None:
    for key in turn.keys:
        if key == turn.own:
            connection.execute(delete(SignInFailures).where(col(SignInFailures.key) == key))
        else:
            _uncount([key], connection)


def _uncount(keys: Sequence[str], connection: Connection) -> None:
    for key in sorted(keys):
        connection.execute(
            update(SignInFailures)
            .where(col(SignInFailures.key) == key, col(SignInFailures.failures) > 0)
            .values(failures=col(SignInFailures.failures) - 1)
        )


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 - IPv4
        return address
    return str(ipaddress.ip_network((found, _BITS_OF_A_HOME), strict=False))


def _key(*parts: str) -> str:
    """What people type is not kept: now and then it is a password."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
