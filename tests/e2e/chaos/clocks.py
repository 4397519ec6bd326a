"""Clocks of single processes that can be set while they run: libfaketime, told by a file."""

import os
from dataclasses import dataclass
from pathlib import Path

SEEN_SECONDS = 1.1
"""So soon a process notices that its clock was set."""
_LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
_REPAIRED = Path(__file__).parent / "repaired_sleep"
"""Its sitecustomize.py comes first in such a process."""


class FaketimeMissing(Exception):
    """The library is not installed. No reason to skip: what a set clock does would go untested."""

    def __init__(self) -> None:
        super().__init__("libfaketime is not installed: apt-get install libfaketime")


@dataclass(frozen=True)
class Clock:
    """The clock that one process reads; its monotonic clock, as a real one, never jumps."""

    file: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a program with this clock, as the process that was started.

        Raises:
            FaketimeMissing: nobody can set its clock.
        """
        found = sorted(Path("/").glob(_LIBRARY.removeprefix("/")))
        if not found:
            raise FaketimeMissing
        paths = os.pathsep.join(filter(None, [str(_REPAIRED), os.environ.get("PYTHONPATH")]))
        return (
            *("env", f"LD_PRELOAD={found[0]}", f"FAKETIME_TIMESTAMP_FILE={self.file}"),
            f"PYTHONPATH={paths}",
            *("FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"),
        )

    def step(self, seconds: int) -> None:
        """Set it to so many seconds from the right time; the process sees that within a second."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)


def right_clock(folder: Path, name: str) -> Clock:
    """One that is right as yet."""
    clock = Clock(folder / f"{name}.clock")
    clock.step(0)
    return clock


def sweep() -> None:
    """Take away what the library of killed processes left in shared memory."""
    for file in Path("/dev/shm").glob("*faketime_*"):  # noqa: S108 - where the kernel has it
        process = file.name.rpartition("_")[2]
        if not Path("/proc", process).exists():
            file.unlink(missing_ok=True)
