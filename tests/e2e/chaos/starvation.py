"""How long processes were ready to run and had no processor, as the kernel counts it.

A thread's `schedstat` has it in nanoseconds (Documentation/scheduler/sched-stats.rst).
"""

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

_NANOSECONDS = 1e9
_PAUSE_SECONDS = 0.1


@dataclass
class StarvationWatch:
    """Reads it again and again, so that it can be told up to an instant of the past."""

    processes: Callable[[], Collection[int]]
    notes: list[tuple[datetime, Mapping[int, float]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._end = threading.Event()
        self._note()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def seconds(self, process: int, *, until: datetime) -> float:
        """Of its main thread since the watch began: a wait counts once, whatever other threads wait for.

        The last note before that instant is taken: what was not seen is not excused.
        """
        seen = [found[process] for at, found in self.notes if at <= until and process in found]
        return seen[-1] - self.notes[0][1].get(process, 0.0) if seen else 0.0

    def _watch(self) -> None:
        while not self._end.wait(_PAUSE_SECONDS):
            self._note()

    def _note(self) -> None:
        found = {}
        for process in self.processes():
            with suppress(FileNotFoundError, ProcessLookupError):  # it was killed just now
                found[process] = _starved(process)
        self.notes.append((datetime.now(UTC), found))


def _starved(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / _NANOSECONDS
