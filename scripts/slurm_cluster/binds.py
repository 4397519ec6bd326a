"""Folders of the machine that jobs see at the same path, so that portal and jobs mean the same files."""

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Bind:
    """A folder or file that is inside at the same path."""

    path: Path
    is_writable: bool = False


def checkout_and_python() -> list[Bind]:
    """This checkout and the Python that runs us, to read: enough for a job to run the portal's workloads."""
    environment = [] if sys.prefix == sys.base_prefix else [Path(sys.prefix)]
    return [Bind(path) for path in (CHECKOUT, *environment, *base_python())]


def base_python() -> list[Path]:
    """What a virtual environment stands on.

    Of a Python below /usr (Debian's own) its program and its library only: the rest of /usr is the root's,
    whose newer C libraries it runs with as well.
    """
    base = Path(sys.base_prefix)
    if base == Path("/usr"):
        return [Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))]
    return [base]
