"""Which ends of a run are paid for: data, so that a site can decide otherwise without touching the ledger."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from schedulers.jobstate import JobState

DEFAULT_POLICY: Mapping[JobState, bool] = MappingProxyType(
    {
        JobState.COMPLETED: True,
        JobState.FAILED: True,
        JobState.TIMEOUT: True,
        JobState.DEADLINE: True,
        JobState.OUT_OF_MEMORY: True,
        JobState.CANCELLED: True,
        JobState.PREEMPTED: True,
        JobState.NODE_FAIL: False,
        JobState.BOOT_FAIL: False,
    }
)
"""By terminal state, whether the time that a run used is charged. What our machines broke is not."""


def is_charged(state: JobState, started_at: datetime | None, policy: Mapping[JobState, bool]) -> bool:
    """Whether a run that ended so is paid for; one that never started is not."""
    return started_at is not None and policy[state]
