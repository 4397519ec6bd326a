"""What each cluster had, could give and gave on each day: the denominator of utilisation."""

from datetime import date

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import TresSeconds


class ClusterDay(SQLModel, table=True):
    """One resource of a cluster on one local day, summed up from looks at the cluster.

    Every amount covers the same `observed_seconds`, so that their ratios hold on days of which the
    portal saw only a part.
    """

    __tablename__ = "cluster_day"
    __table_args__ = (
        CheckConstraint(
            "observed_seconds >= 0 AND available >= 0 AND available <= capacity AND allocated >= 0",
            name="amounts_in_range",
        ),
    )

    cluster: str = Field(primary_key=True, max_length=64)
    day: date = Field(primary_key=True)
    """In the city's time."""
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    """A TRES; `node` counts whole machines."""
    observed_seconds: int
    capacity: int = Field(sa_type=TresSeconds)
    """All that is installed, on nodes in whatever state."""
    available: int = Field(sa_type=TresSeconds)
    """Of it, on nodes that were up, or draining with work on them."""
    allocated: int = Field(sa_type=TresSeconds)
    """Of it, held by jobs."""
