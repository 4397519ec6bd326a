"""A circuit breaker: when slurmrestd is down, say so at once instead of waiting for it again and again."""

import time
from collections.abc import Callable

from schedulers.errors import SchedulerUnavailable


class Breaker:
    """Closed while requests are answered; open for a while after several in a row were not.

    When the pause is over a single request is let through to probe: its answer closes the breaker,
    its failure opens it for twice as long.
    """

    def __init__(
        self,
        what: str,
        *,
        failures_to_open: int = 3,
        first_pause_seconds: float = 1.0,
        longest_pause_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._failures_to_open = failures_to_open
        self._first_pause = first_pause_seconds
        self._longest_pause = longest_pause_seconds
        self._clock = clock
        self._failures = 0
        self._pause = first_pause_seconds
        self._probe_at: float | None = None
        self._is_probing = False
        self._problem = ""

    @property
    def is_open(self) -> bool:
        """Whether a request now would be turned away."""
        return self._probe_at is not None and (self._is_probing or self._clock() < self._probe_at)

    def admit(self) -> None:
        """Let a request through, which then must tell `succeeded`, `failed` or `abandoned`.

        Raises:
            SchedulerUnavailable: the breaker is open.
        """
        if self.is_open:
            message = f"{self._what} does not answer; it is asked again soon. Last problem: {self._problem}"
            raise SchedulerUnavailable(message)
        self._is_probing = self._probe_at is not None

    def succeeded(self) -> None:
        """An answer came, whatever it said."""
        self._failures = 0
        self._pause = self._first_pause
        self._probe_at = None
        self._is_probing = False

    def failed(self, problem: str) -> None:
        """No answer came."""
        self._failures += 1
        self._problem = problem
        if not self._is_probing and self._failures < self._failures_to_open:
            return
        if self._is_probing or self._probe_at is None:
            self._probe_at = self._clock() + self._pause
            self._pause = min(self._pause * 2, self._longest_pause)
        self._is_probing = False

    def abandoned(self) -> None:
        """The request was given up before it told anything: another one may probe."""
        self._is_probing = False
