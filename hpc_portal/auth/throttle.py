"""Slow down who guesses passwords: waits that double, per name and address, kept in memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hpc_portal.auth.errors import TooManyAttempts

_FREE_FAILURES = 5
_FREE_FAILURES_PER_ADDRESS = 50
"""Many people may share an address (a campus behind one router)."""
_LONGEST_WAIT_SECONDS = 300
_FORGOTTEN_AFTER_SECONDS = 900
_MOST_KEPT = 20_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class SignInThrottle:
    """Counts failed sign-ins of one process: N web processes allow N times as many guesses."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def require_turn(self, username: str, address: str) -> None:
        """Let pass who may try now.

        Raises:
            TooManyAttempts: with the seconds to wait.
        """
        wait = max(
            self._wait((username, address), _FREE_FAILURES),
            self._wait(("", address), _FREE_FAILURES_PER_ADDRESS),
        )
        if wait > 0:
            raise TooManyAttempts(int(wait) + 1)

    def failed(self, username: str, address: str) -> None:
        """Count a wrong password."""
        for key in ((username, address), ("", address)):
            kept = self._failures.setdefault(key, _Failures(0, 0))
            if self._now() - kept.last > _FORGOTTEN_AFTER_SECONDS:
                kept.count = 0
            kept.count += 1
            kept.last = self._now()
            self._failures.move_to_end(key)
        while len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        """Forget the failures of this name; those of the address stay."""
        self._failures.pop((username, address), None)

    def _wait(self, key: tuple[str, str], free: int) -> float:
        kept = self._failures.get(key)
        if kept is None or kept.count < free:
            return 0
        wait = min(2.0 ** (kept.count - free), _LONGEST_WAIT_SECONDS)
        return kept.last + wait - self._now()
