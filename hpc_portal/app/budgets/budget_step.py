"""The controller's part of budgets: ends allocations in time, and says before it happens that it will."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Select, select
from sqlmodel import col

from hpc_portal.app.budgets.allocations import AllocationLineSeen, read_lines
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify, who_was_told
from hpc_portal.app.notices.recipients import leads, managers
from quotas.expire import Expired, expire_due
from quotas.tables import Allocation, AllocationState, Project

log = structlog.get_logger()

BUDGET_SECONDS = 30.0
_BATCH = 100
_WARN_DAYS = (1, 7, 14, 30, 60)
_WARN_PERCENT = (100, 80)
_WARN_EVERY = timedelta(minutes=10)


class BudgetStep:
    """One pass over what is due."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._warned_at: datetime | None = None

    async def __call__(self) -> bool:
        """Whether there may be more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        now = self._context.clock.now()
        expired = await self._context.write(lambda connection: end_due(connection, at=now))
        if self._warned_at is None or now - self._warned_at >= _WARN_EVERY:
            await self._context.write(lambda connection: warn(connection, at=now))
            self._warned_at = now
        return len(expired) == _BATCH


def end_due(connection: Connection, *, at: datetime) -> list[Expired]:
    """End allocations whose period is over, tell whom they belong to, and expire what ended ones got back."""
    expired = expire_due(connection, at=at, limit=_BATCH)
    for one in expired:
        log.info(
            "allocation.expired" if one.ended_now else "allocation.rest_expired",
            allocation_id=str(one.allocation_id),
            amounts=dict(one.amounts),
            returned_to=None if one.returned_to is None else str(one.returned_to),
        )
        if one.ended_now:
            project = connection.execute(_PROJECT.where(col(Project.id) == one.project_id)).one()
            notify(
                connection,
                to=_people(connection, project),
                kind=NoticeKind.ALLOCATION_ENDED,
                facts={"project": project.account, "lines": dict(one.amounts)},
                at=at,
                key=f"allocation:{one.allocation_id}:ended",
            )
    return expired


def warn(connection: Connection, *, at: datetime) -> None:
    """Say that allocations end within 60, 30, 14, 7 or 1 days, and that 80 or 100 % are used; each once.

    An allocation that was extended is told about anew, and one that was increased is not: it had been used
    so far. Whoever was away hears of the nearest threshold, not of all that went by.
    """
    rows = connection.execute(
        _WITH_PROJECT.where(
            col(Allocation.state) == AllocationState.ACTIVE,
            col(Allocation.valid_from) <= at,
            col(Allocation.valid_to) > at,
        )
    ).all()
    if not rows:
        return
    lines = read_lines(connection, [row.id for row in rows])
    due = [
        (_people(connection, row), warning) for row in rows for warning in _warnings(row, lines[row.id], at)
    ]
    everybody = {person for people, _ in due for person in people}
    told = who_was_told(connection, everybody, [key for _, (_, key, _) in due])
    for people, (kind, key, facts) in due:
        news_to = {person for person in people if (person, key) not in told}
        notify(connection, to=news_to, kind=kind, facts=facts, at=at, key=key)


def _warnings(
    row: Any,  # noqa: ANN401 - a row
    lines: Sequence[AllocationLineSeen],
    at: datetime,
) -> Iterator[tuple[NoticeKind, str, dict[str, object]]]:
    left = {line.asset: max(line.available, 0) for line in lines}
    facts: dict[str, object] = {
        "project": row.account,
        "valid_to_at": row.valid_to.isoformat(),
        "lines": left,
    }
    days = next((n for n in _WARN_DAYS if row.valid_to - at <= timedelta(days=n)), None)
    lasts = row.valid_to - row.valid_from
    if days is not None and timedelta(days=days) < lasts and any(left.values()):
        key = f"allocation:{row.id}:ends:{row.valid_to.isoformat()}:{days}"
        yield NoticeKind.ALLOCATION_ENDS_SOON, key, {**facts, "days": days}
    used = max((line.used_percent for line in lines), default=0)
    percent = next((n for n in _WARN_PERCENT if used >= n), None)
    if percent is not None:
        key = f"allocation:{row.id}:used:{percent}"
        yield NoticeKind.BUDGET_USED, key, {**facts, "percent": percent}


def _people(connection: Connection, project: Any) -> set[UUID]:  # noqa: ANN401 - a row
    return leads(connection, project.project_id) | managers(connection, project.organisation_id)


_PROJECT: Select[*tuple[Any, ...]] = select(
    col(Project.id).label("project_id"), col(Project.account), col(Project.organisation_id)
)
_WITH_PROJECT: Select[*tuple[Any, ...]] = select(
    col(Allocation.id),
    col(Allocation.valid_from),
    col(Allocation.valid_to),
    col(Project.id).label("project_id"),
    col(Project.account),
    col(Project.organisation_id),
).join(Project, col(Project.id) == col(Allocation.project_id))
