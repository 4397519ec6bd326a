"""Grant a project budget for a period."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.accounts.find import find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from quotas.grant import grant
from quotas.tables import Allocation


@dataclass(frozen=True, slots=True)
class BudgetGrant:
    """A budget to be."""

    lines: Mapping[str, int]
    """Đồng under `VND`, TRES-seconds under a TRES."""
    valid_from: datetime
    valid_to: datetime
    """Not included."""
    reason: str
    overdraft: Mapping[str, int] = field(default_factory=dict)


def grant_budget(services: Services, actor: Actor, account: str, wanted: BudgetGrant, *, key: str) -> UUID:
    """Returns the allocation's id; the same key again returns the same one and grants nothing.

    Raises:
        NotAllowed: only administrators may.
        ProjectNotFound: there is no such project.
        InvalidEntry: an instant has no time zone, or no reason is given.
        InvalidAmount, KeyReused: from the quotas.
    """
    permissions.require(actor, Action.GRANT)
    require(
        [
            _zone_problem("valid_from", wanted.valid_from),
            _zone_problem("valid_to", wanted.valid_to),
            reason_problem(wanted.reason),
        ]
    )
    now = services.clock.now()

    def work(connection: Connection) -> UUID:
        project = find_project(connection, account)
        is_repeat = connection.execute(select(1).where(col(Allocation.grant_key) == key)).first() is not None
        allocation_id = grant(
            connection,
            project_id=project.id,
            lines=wanted.lines,
            valid_from=wanted.valid_from,
            valid_to=wanted.valid_to,
            overdraft=wanted.overdraft,
            actor_id=actor.user_id,
            reason=wanted.reason,
            idempotency_key=key,
            at=now,
        )
        if is_repeat:
            return allocation_id
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="budget.granted",
            subject=account,
            allocation_id=str(allocation_id),
            lines=dict(wanted.lines),
            reason=wanted.reason,
        )
        return allocation_id

    return transact(services.engine, work)


def _zone_problem(name: str, at: datetime) -> Problem | None:
    return None if at.tzinfo else Problem(name, "Give the time zone, such as 2026-12-01T00:00:00+07:00.")
