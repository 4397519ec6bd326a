"""What a refused submission lacked, so that a request for it can be offered already filled in; pure."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from quotas.amounts import Asset
from quotas.errors import BudgetExceeded


@dataclass(frozen=True, slots=True)
class Shortage:
    """So much more of an asset, and it would have gone through."""

    project: str
    """The project's account name."""
    asset: Asset
    missing: int
    """TRES-seconds or đồng; above zero."""

    @classmethod
    def of(cls, error: BudgetExceeded) -> Self:
        """From the refusal."""
        return cls(error.project, error.asset, max(1, error.needed - error.available))

    @property
    def page(self) -> str:
        """The page of the portal with the request filled in."""
        facts = {"project": self.project, "asset": self.asset, "missing": self.missing}
        return f"/requests/new?{urlencode(facts)}"
