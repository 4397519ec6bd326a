"""How long processes were ready to run and had no processor, as the kernel counts it.

A thread's `schedstat` has it in nanoseconds (Documentation/scheduler/sched-stats.rst).
"""

from pathlib import Path

_NANOSECONDS = 1e9


def seconds_starved(process: int) -> float:
    """Of its main thread since it began: a wait counts once, whatever other threads wait at that time."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / _NANOSECONDS
