"""Which ends of a run are paid for: data, so that a site can decide otherwise without touching the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import Connection, select

from quotas.checks import require_whole
from quotas.end_state_tables import EndStateRule
from quotas.errors import InvalidAmount
from quotas.journal import insert_once
from quotas.tables import table_of
from schedulers.jobstate import JobState

_RULES = table_of(EndStateRule)
_LONGEST_FREE_SECONDS = 366 * 86_400

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


@dataclass(frozen=True, slots=True)
class EndRules:
    """What a site decided, over the default."""

    policy: Mapping[JobState, bool] = field(default_factory=lambda: DEFAULT_POLICY)
    free_seconds: Mapping[JobState, int] = field(default_factory=dict)
    """Of charged states: so many seconds that runs of one job lost this way are given back at once."""

    def is_charged(self, state: JobState, started_at: datetime | None) -> bool:
        """Whether a run that ended so is paid for; one that never started is not."""
        return started_at is not None and self.policy[state]


DEFAULT_RULES = EndRules()


@dataclass(frozen=True, slots=True)
class EndRule:
    """The rule of one state."""

    state: JobState
    is_charged: bool
    free_seconds_per_job: int | None
    """Only of a charged state: charged, and up to so much of it given back automatically."""
    is_default: bool


def load_end_rules(conn: Connection) -> EndRules:
    """The rules in force."""
    rows = conn.execute(select(_RULES)).all()
    if not rows:
        return EndRules()
    return EndRules(
        policy={**DEFAULT_POLICY, **{JobState(row.state): row.is_charged for row in rows}},
        free_seconds={
            JobState(row.state): row.free_seconds_per_job for row in rows if row.free_seconds_per_job
        },
    )


def list_end_rules(conn: Connection) -> Sequence[EndRule]:
    """One for each end that there is."""
    rows = {row.state: row for row in conn.execute(select(_RULES))}
    return [
        EndRule(
            state,
            rows[state].is_charged if state in rows else charged,
            rows[state].free_seconds_per_job if state in rows else None,
            is_default=state not in rows,
        )
        for state, charged in DEFAULT_POLICY.items()
    ]


def set_end_rule(  # noqa: PLR0913 - the facts of a rule, by keyword
    conn: Connection,
    *,
    state: JobState,
    is_charged: bool,
    free_seconds_per_job: int | None,
    set_by: UUID | None,
    reason: str,
    at: datetime,
) -> None:
    """Decide for runs that are settled from now on; what was charged stays. The caller commits.

    Raises:
        InvalidAmount: no end of a run, or time that is free in a state that is not charged at all.
    """
    if state not in DEFAULT_POLICY:
        raise InvalidAmount("state", "%(state)s is no end of a run that is charged or not", state=str(state))
    if free_seconds_per_job is not None:
        require_whole("free_seconds_per_job", free_seconds_per_job, most=_LONGEST_FREE_SECONDS)
        if not is_charged:
            raise InvalidAmount("free_seconds_per_job", "is for charged ends: others are free as a whole")
    values = {
        "is_charged": is_charged,
        "free_seconds_per_job": free_seconds_per_job,
        "set_by": set_by,
        "set_at": at,
        "reason": reason,
    }
    conn.execute(insert_once(_RULES)[conn.dialect.name], {"state": state.value, **values})
    conn.execute(_RULES.update().where(_RULES.c.state == state.value).values(values))
