"""The processes that read waveforms for this one: few, kept while they are asked, and shared fairly."""

import atexit
import contextlib
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

from hpc_portal.app.errors import WaveformsBusy
from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.wave_process import TOO_LARGE, NoAnswer, WaveProcess

_Key = tuple[int, int, int, int]
"""Device, inode, size and time of change: a file that grows is another one."""
_MOST_REFUSED = 256


class WaveReaders:
    """At most so many processes, one a file; the one that nobody asked for longest makes room."""

    def __init__(self, *, most: int = bounds.MOST_PROCESSES, seconds: float = bounds.LONGEST_SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._idle: OrderedDict[_Key, WaveProcess] = OrderedDict()
        self._asked: dict[_Key, str] = {}
        """By which project."""
        self._refused: OrderedDict[_Key, tuple[float, str]] = OrderedDict()
        """Until when, and why."""
        self._questions: Counter[str] = Counter()
        self._changed = threading.Condition()

    def ask(self, descriptor: int, project: str, question: dict[str, Any]) -> Any:  # noqa: ANN401 - see WaveProcess
        """What the file answers.

        A process that had answered before and died (its time was up, the memory of many signals) is replaced
        once, so that only what a new one cannot do either is refused; that is then refused for a while
        without being tried. One project never takes all processes.

        Raises:
            NoAnswer: the file cannot be read within our bounds.
            WaveformsBusy: too many ask, or too many of this project.
        """
        facts = os.fstat(descriptor)
        if facts.st_size > bounds.MOST_FILE_BYTES:
            raise NoAnswer(TOO_LARGE, is_dead=False)
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        deadline = time.monotonic() + self._seconds
        with self._turn(project):
            while True:
                self._refuse_hopeless(key)
                with self._process_of(key, project, descriptor, deadline) as process:
                    is_fresh = not process.has_answered
                    try:
                        return process.ask(question, deadline=deadline)
                    except NoAnswer as error:
                        if is_fresh and error.is_dead:
                            self._remember(key, error.why)
                        if is_fresh or not error.is_dead or time.monotonic() >= deadline:
                            raise

    def close(self) -> None:
        """End all that are not being asked."""
        with self._changed:
            while self._idle:
                self._idle.popitem()[1].stop()

    @contextlib.contextmanager
    def _turn(self, project: str) -> Iterator[None]:
        with self._changed:
            is_full = self._questions.total() >= bounds.MOST_QUESTIONS
            if is_full or self._questions[project] >= bounds.MOST_QUESTIONS_OF_A_PROJECT:
                raise WaveformsBusy
            self._questions[project] += 1
        try:
            yield
        finally:
            with self._changed:
                self._questions[project] -= 1
                self._questions += Counter()  # forgets projects that ask nothing

    def _refuse_hopeless(self, key: _Key) -> None:
        with self._changed:
            until, why = self._refused.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise NoAnswer(why, is_dead=False)

    def _remember(self, key: _Key, why: str) -> None:
        with self._changed:
            self._refused[key] = time.monotonic() + bounds.REFUSED_SECONDS, why
            while len(self._refused) > _MOST_REFUSED:
                self._refused.popitem(last=False)

    @contextlib.contextmanager
    def _process_of(self, key: _Key, project: str, descriptor: int, deadline: float) -> Iterator[WaveProcess]:
        with self._changed:
            while not self._has_room(key, project):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise WaveformsBusy
            process = self._idle.pop(key, None) or WaveProcess(descriptor)
            self._asked[key] = project
        try:
            yield process
        finally:
            with self._changed:
                del self._asked[key]
                if process.is_alive:
                    self._idle[key] = process
                else:
                    process.stop()
                self._changed.notify_all()

    def _has_room(self, key: _Key, project: str) -> bool:
        """Whether the file can be asked now; makes room for its process where others only wait."""
        for ended in [one for one, process in self._idle.items() if not process.is_alive]:
            self._idle.pop(ended).stop()
        theirs = sum(one == project for one in self._asked.values())
        if key in self._asked or len(self._asked) >= self._most or theirs >= max(1, self._most - 1):
            return False
        while key not in self._idle and len(self._asked) + len(self._idle) >= self._most:
            self._idle.popitem(last=False)[1].stop()
        return True


READERS = WaveReaders()
"""Of this process."""
atexit.register(READERS.close)
