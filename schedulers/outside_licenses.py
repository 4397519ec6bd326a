"""Keeping a cluster's jobs off the licences that people outside the cluster use."""

from collections.abc import Mapping
from typing import Protocol


class OutsideLicenses(Protocol):
    """A cluster that counts its licences itself, and can be told that others use some of them."""

    async def set_aside(self, counts: Mapping[str, int]) -> None:
        """So many of each feature no job may take, for an hour; those not named, it may take all of.

        What runs already goes on, also where it has more than is left.

        Args:
            counts: by feature, above zero and no more than the cluster has of it.

        Raises:
            SchedulerRefused: the cluster says no, in its own words.
            SchedulerUnavailable: it could not be asked.
        """
        ...
