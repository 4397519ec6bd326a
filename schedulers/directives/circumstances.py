"""What a translation depends on besides the text of the script."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from schedulers.jobspec import Launch

Resolve: TypeAlias = Callable[[str], UUID | None]
"""From what a person calls a job to its id; None when there is no such job."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Given once for all options."""

    name: str
    """For a job whose options name none: the script's file name."""
    now: datetime
    """With the zone in which people mean their times."""
    resolve: Resolve
    launch: Launch
    """Where a job of several nodes starts."""
