"""Licences that a cluster which counts them itself is told to keep from jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SetAside:
    """Counts by feature, above zero; of each feature together no more than the cluster has."""

    outside: Mapping[str, int] = field(default_factory=dict)
    """In use by people and machines that are not the cluster's: no job may take them."""
    kept: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By project (its account): only the project's jobs may take them."""


class SetsLicensesAside(Protocol):
    """A cluster that counts its licences itself, and can be told to keep some from jobs."""

    async def set_aside(self, wanted: SetAside) -> Mapping[str, str]:
        """From now on these and no others; those not named, every job may take all of.

        What is outside holds for an hour, what is kept for a year. What runs already goes on, also where it
        has more than is left. Again is fine.

        Returns:
            What the cluster said no to, by its name there, in the cluster's words; the rest is done.

        Raises:
            SchedulerRefused: the cluster does not even tell what is set aside now.
            SchedulerUnavailable: it could not be asked.
        """
        ...
