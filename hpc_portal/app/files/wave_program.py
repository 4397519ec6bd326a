"""Reads one waveform that a job wrote, in a process with limits of its own that `wave_process` starts.

A file may be damaged or made to harm: the library may then run out of memory, loop, or be killed where a
mapped file shrinks. This process has no secrets and opens nothing but the descriptor that it was given. It
answers a line of JSON with a line of JSON.
"""

import json
import os
import resource
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.wave_file import NotReadable, WaveFile

_LIMITS = (
    (resource.RLIMIT_DATA, bounds.MOST_MEMORY_BYTES),
    (resource.RLIMIT_NOFILE, bounds.MOST_OPEN_FILES),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
)
_KILLED_FIRST = "1000"
"""When the machine runs out of memory, before whoever started it."""
_READ_BYTES = 65_536


def main() -> None:
    """Answer until standard input ends or nobody has asked for a while."""
    _limit_myself()
    descriptor, answers = int(sys.argv[1]), _take_output()
    waves: WaveFile | None = None
    for question in _questions():
        try:
            waves = waves or WaveFile(descriptor)
            answer: Answer = {"answer": _ASKED[question.pop("ask")](waves, **question)}
        except MemoryError:
            answer = {"problem": "memory"}
        except NotReadable:
            answer = {"problem": "unreadable"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


Answer = dict[str, Any]
_ASKED: Mapping[str, Callable[..., Answer]] = {
    "header": WaveFile.header,
    "entries": WaveFile.entries,
    "window": WaveFile.window,
}


def _take_output() -> BinaryIO:
    """Standard output, which nobody else writes to from now on: the library prints warnings."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _limit_myself() -> None:
    os.nice(bounds.NICENESS)
    for limit, amount in _LIMITS:
        resource.setrlimit(limit, (amount, amount))
    seconds = bounds.LONGEST_CPU_SECONDS
    resource.setrlimit(
        resource.RLIMIT_CPU, (seconds, seconds + 1)
    )  # the first signal says why, the second kills
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        descriptor = os.open(score, os.O_WRONLY)
        os.write(descriptor, _KILLED_FIRST.encode())
        os.close(descriptor)


def _questions() -> Iterator[dict[str, Any]]:
    waiting = b""
    while select.select([0], [], [], bounds.IDLE_SECONDS)[0]:
        received = os.read(0, _READ_BYTES)
        if not received:
            return
        waiting += received
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            yield json.loads(line)


if __name__ == "__main__":
    main()
