"""The work list of what does not add up: read it, and say why something is right or that it was put right."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import Session, col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounting.months import LONGEST_REASON
from hpc_portal.app.accounting.tables import AccountingCheck
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import DiscrepancyDecided, NotFound, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import User
from quotas import discrepancies
from quotas.discrepancies import ListedDiscrepancy
from quotas.usage_tables import DiscrepancyKind, DiscrepancyState


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One discrepancy, and who decided on it."""

    found: ListedDiscrepancy
    decided_by: str | None
    """A username; None while it is open, and when it was gone by itself."""


@dataclass(frozen=True, slots=True)
class Checked:
    """When a check was last finished, and what it found."""

    name: str
    checked_at: datetime | None
    facts: Mapping[str, Any]


def work_list(  # noqa: PLR0913 - one parameter for each filter
    session: Session,
    actor: Actor,
    *,
    state: DiscrepancyState | None = DiscrepancyState.OPEN,
    kind: DiscrepancyKind | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[WorkItem]:
    """Discrepancies, the newest first.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    connection = session.connection()
    found = discrepancies.list_discrepancies(connection, state=state, kind=kind, before=before, limit=limit)
    ids = {one.decided_by for one in found if one.decided_by}
    rows = connection.execute(select(col(User.id), col(User.username)).where(col(User.id).in_(ids)))
    names = {row.id: row.username for row in rows}
    return [WorkItem(one, names.get(one.decided_by)) for one in found]


def last_checks(session: Session, actor: Actor) -> list[Checked]:
    """What was checked when, by name.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    rows = session.connection().execute(
        select(
            col(AccountingCheck.name), col(AccountingCheck.checked_at), col(AccountingCheck.facts)
        ).order_by(col(AccountingCheck.name))
    )
    return [Checked(*row) for row in rows]


def decide(services: Services, actor: Actor, number: int, *, state: DiscrepancyState, reason: str) -> None:
    """Take an open discrepancy off the list, with the reason; of two people at the same instant, one does.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: there is no reason, or it is too long, or that is no end.
        NotFound: there is no such discrepancy.
        DiscrepancyDecided: somebody else was faster.
    """
    permissions.require(actor, Action.CLOSE_MONTHS)
    text = reason.strip()
    require(
        [
            None if text else Problem("reason", "Say why; whoever looks at the books later will read it."),
            None
            if len(text) <= LONGEST_REASON
            else Problem("reason", "Use at most %(most)s characters.", {"most": LONGEST_REASON}),
            None
            if state is not DiscrepancyState.OPEN
            else Problem("state", "A discrepancy is explained or resolved."),
        ]
    )
    now = services.clock.now()

    def write(connection: Connection) -> None:
        was = discrepancies.find_discrepancy(connection, number)
        if was is None:
            kind = "discrepancy"
            raise NotFound(kind, number)
        if not discrepancies.decide(connection, number, state, actor_id=actor.user_id, reason=text, at=now):
            raise DiscrepancyDecided(number)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=f"discrepancy.{state.value}",
            subject=was.key,
            reason=text,
            was={"state": was.state.value},
        )

    transact(services.engine, write)
