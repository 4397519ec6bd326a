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
    """This checkout and the Python that runs us, to read: enough for a job to run the portal's workloads.

    A Python below /usr (Debian's own) comes as its program and its library only: the rest of /usr is the
    root's, whose newer C libraries it runs with as well.
    """
    base = Path(sys.base_prefix)
    if base == Path("/usr"):
        program = Path(sys.executable).resolve()
        python = [program, Path(sysconfig.get_path("stdlib"))]
    else:
        python = [base]
    return [Bind(path) for path in (CHECKOUT, Path(sys.prefix), *python)]
