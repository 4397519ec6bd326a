"""time.sleep for processes under libfaketime, whose clock_nanosleep cannot sleep until a monotonic instant.

Python sleeps so since 3.11, and got "Invalid argument" each time: whoever waited to try again failed.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
