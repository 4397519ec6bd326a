"""Text forms of walltime and memory, as sbatch reads and sacct prints them."""

import re
from datetime import timedelta, timezone

from schedulers.errors import InvalidJobSpec

CITY_TIME = timezone(timedelta(hours=7), "ICT")
"""Asia/Ho_Chi_Minh: UTC+7 all year since 1975, so no time zone data is needed on the machine."""

_MEMORY = re.compile(r"^(\d{1,15})(?:([KMGT])B?)?$", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"^\d{1,9}$", re.ASCII)
_KIB_PER_UNIT = {"K": 1, "": 1024, "M": 1024, "G": 1024**2, "T": 1024**3}


def parse_walltime(text: str) -> int:
    """Seconds in an sbatch time: `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` or `D-HH:MM:SS`.

    Raises:
        InvalidJobSpec: the text is none of these forms, or is zero.
    """
    days_text, dash, clock = text.strip().rpartition("-")
    parts = clock.split(":")
    numbers_text = [*parts, days_text] if dash else parts
    if not all(_NUMBER.match(part) for part in numbers_text):
        raise InvalidJobSpec(
            "walltime", "%(text)r is not a time such as 30, 01:30:00 or 2-12:00:00", text=text
        )
    numbers = [int(part) for part in parts]
    match (bool(dash), numbers):
        case (False, [minutes]):
            seconds = minutes * 60
        case (False, [minutes, secs]):
            seconds = minutes * 60 + secs
        case (_, [hours, minutes, secs]):
            seconds = hours * 3600 + minutes * 60 + secs
        case (True, [hours]):
            seconds = hours * 3600
        case (True, [hours, minutes]):
            seconds = hours * 3600 + minutes * 60
        case _:
            raise InvalidJobSpec("walltime", "%(text)r has too many parts", text=text)
    seconds += int(days_text or "0") * 86_400
    if seconds <= 0:
        raise InvalidJobSpec("walltime", "%(text)r is zero; ask for at least one second", text=text)
    return seconds


def format_walltime(seconds: int) -> str:
    """`[D-]HH:MM:SS`, as sacct prints it."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    clock = f"{hours:02}:{minutes:02}:{secs:02}"
    return f"{days}-{clock}" if days else clock


def parse_memory_mib(text: str) -> int:
    """MiB in an sbatch memory size: `512`, `512M`, `4G`, `4GB`; a fraction of a MiB is rounded up.

    Raises:
        InvalidJobSpec: the text is not a size.
    """
    found = _MEMORY.match(text.strip())
    if not found:
        raise InvalidJobSpec("memory", "%(text)r is not a size such as 512M or 4G", text=text)
    kib = int(found[1]) * _KIB_PER_UNIT[(found[2] or "").upper()]
    return -(-kib // 1024)


def format_memory(mib: int) -> str:
    """`512 MiB` or `4 GiB`, for people."""
    return f"{mib // 1024} GiB" if mib and mib % 1024 == 0 else f"{mib} MiB"
