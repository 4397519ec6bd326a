"""Sums of what was used, by any respect, read from the roll-ups: never from runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection


class Dimension(StrEnum):
    """A respect in which use is told apart; the value's type is given."""

    DAY = "day"
    """`date`."""
    MONTH = "month"
    """`date`, the first."""
    ORGANISATION = "organisation"
    """UUID."""
    PROJECT = "project"
    """UUID."""
    ALLOCATION = "allocation"
    """UUID."""
    USER = "user"
    """UUID."""
    CLUSTER = "cluster"
    PARTITION = "partition"
    WORKLOAD = "workload"
    """The template's name; "" for none."""
    STATE = "state"
    """JobState, as text."""
    GPU_TYPE = "gpu_type"
    """"" without GPUs, "untyped", a type, or several joined with "+"."""


class Basis(StrEnum):
    """When a use counts whose month was closed before it was recorded."""

    POSTED = "posted"
    """In the month that took it, as in statements."""
    OCCURRED = "occurred"
    """On the day itself, as the machines saw it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums; see `quotas.usage_tables.UsageMeasures` for what each one means."""

    runs: int = 0
    uncharged_runs: int = 0
    elapsed_seconds: int = 0
    cpu_seconds: int = 0
    gpu_seconds: int = 0
    mem_mib_seconds: int = 0
    licence_seconds: int = 0
    uncharged_cpu_seconds: int = 0
    uncharged_gpu_seconds: int = 0
    cpu_measured_seconds: int = 0
    used_cpu_seconds: int = 0
    gpu_measured_seconds: int = 0
    gpu_busy_seconds: int = 0
    waited_runs: int = 0
    waited_seconds: int = 0
    list_vnd: int = 0
    subsidy_vnd: int = 0
    vnd: int = 0


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sums of one combination of values."""

    of: Mapping[Dimension, Any]
    """The value of each dimension that was asked for."""
    usage: Usage


def usage_totals(  # noqa: PLR0913 - one question, every part by keyword
    conn: Connection,
    *,
    by: Sequence[Dimension],
    since: date,
    until: date,
    where: Mapping[Dimension, object] | None = None,
    basis: Basis = Basis.POSTED,
) -> list[UsageTotal]:
    """Sums of the local days from `since` up to, not including, `until`, ordered by the values of `by`.

    `where` narrows it: a value, or a list, tuple or set of which one must match (none of an empty one does).
    Whole months without DAY are read from monthly roll-ups where one of them tells apart what is asked.
    Combinations in which nothing was used are left out.
    """
    raise NotImplementedError
