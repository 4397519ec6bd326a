"""What a refused submission lacked, so that a request for it can be offered already filled in; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from quotas.amounts import Asset
from quotas.errors import AllocationStopped, BudgetExceeded, NotEnoughFree


@dataclass(frozen=True, slots=True)
class Shortage:
    """So much more of these assets, and it would have gone through."""

    project: str
    """The project's account name."""
    missing: Mapping[Asset, int]
    """TRES-seconds, đồng or GiB of storage; above zero."""

    @classmethod
    def of(cls, error: BudgetExceeded) -> Self:
        """From the refusal."""
        return cls(error.project, error.missing)

    @property
    def page(self) -> str:
        """The page of the portal with the request filled in."""
        facts = [("project", self.project), *((f"missing.{name}", n) for name, n in self.missing.items())]
        return f"/requests/new?{urlencode(facts)}"


def may_be_asked_for(error: BudgetExceeded) -> bool:
    """Whether more quota would have let it through; not where an allocation is stopped, or parted."""
    return not isinstance(error, AllocationStopped | NotEnoughFree)
