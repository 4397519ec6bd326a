"""What sweeps and corners look like over HTTP."""

from hpc_portal.api.schemas import Number, Reply
from workloads.template import Verdict


class AxisReply(Reply):
    """One parameter, or the objective, which is the last axis."""

    name: str
    is_log: bool
    choices: list[str]
    """What it may be, where that has no order; empty for numbers."""


class SweepTrialReply(Reply):
    """One task of the sweep."""

    task_index: int
    values: list[int | float | str | None]
    """A value an axis."""
    end: str
    """`done`, `pruned`, `failed`; `-` while it goes on."""


class SweepReply(Reply):
    """A whole sweep, as far as it has come."""

    axes: list[AxisReply]
    trials: list[SweepTrialReply]
    is_maximized: bool
    best: SweepTrialReply | None


class SpecReply(Reply):
    """One measured number and its limits, bounds included."""

    name: str
    unit: str
    low: float | None
    high: float | None


class CornerReply(Reply):
    """One corner that has ended."""

    name: str
    task_index: int | None
    verdict: Verdict
    values: list[Number]
    """A value a spec; null where the simulation means nothing."""
    slacks: list[Number]
    """How far each value is within its limits; negative when it misses one."""
    why: str


class WorstCornerReply(Reply):
    """The corner that is nearest to a limit, or furthest beyond it."""

    spec: SpecReply
    corner: str
    value: float
    slack: float


class CornersReply(Reply):
    """All corners that have ended, and the worst of each limit."""

    specs: list[SpecReply]
    corners: list[CornerReply]
    worst: list[WorstCornerReply]
