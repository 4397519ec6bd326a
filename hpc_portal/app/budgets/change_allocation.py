"""What administrators do to a grant that stands: more, less, longer, suspended, closed, carried over.

Each verb checks the role, does it once in one transaction, tells the project's leads and its organisation's
managers, and keeps it in the audit log with how it was before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import leads, managers
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from quotas import adjust_grant, allocation_states, expire
from quotas.amounts import Asset
from quotas.errors import AllocationNotFound
from quotas.tables import Allocation, HoldPolicy, Project


def increase_allocation(  # noqa: PLR0913 - the facts of a deed
    services: Services,
    actor: Actor,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    *,
    reason: str,
    key: str,
) -> bool:
    """Grant more to it; False when this key did it before.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        InvalidAmount, AllocationNotFound, AllocationStateRefused, KeyReused: from the ledger.
    """
    deed = _Deed("increased", NoticeKind.ALLOCATION_INCREASED, {"lines": dict(lines)})

    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        return adjust_grant.increase(connection, lines=lines, key=key, **said)

    return _carry_out(services, actor, allocation_id, reason, deed, work)


def reduce_allocation(  # noqa: PLR0913 - the facts of a deed
    services: Services,
    actor: Actor,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    *,
    reason: str,
    key: str,
) -> bool:
    """Take free budget back; False when this key did it before.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        NotEnoughFree, InvalidAmount, AllocationNotFound, AllocationStateRefused, KeyReused: from the ledger.
    """
    deed = _Deed("reduced", NoticeKind.ALLOCATION_REDUCED, {"lines": dict(lines)})

    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        return adjust_grant.reduce(connection, lines=lines, key=key, **said)

    return _carry_out(services, actor, allocation_id, reason, deed, work)


def extend_allocation(
    services: Services, actor: Actor, allocation_id: UUID, valid_to: datetime, *, reason: str
) -> bool:
    """Let it end later; False when it ends then already.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`; also when the instant has no time zone.
        InvalidAmount, AllocationNotFound, AllocationStateRefused: from the ledger.
    """
    if valid_to.tzinfo is None:
        require([Problem("valid_to", "Give the time zone, such as 2026-12-01T00:00:00+07:00.")])
    facts = {"valid_to_at": valid_to.isoformat()}
    deed = _Deed("extended", NoticeKind.ALLOCATION_EXTENDED, facts)

    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        return adjust_grant.extend(connection, valid_to=valid_to, **said)

    return _carry_out(services, actor, allocation_id, reason, deed, work)


def suspend_allocation(services: Services, actor: Actor, allocation_id: UUID, *, reason: str) -> bool:
    """Let it pay for no new job; False when it is suspended already.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        AllocationNotFound, AllocationStateRefused: from the ledger.
    """
    deed = _Deed("suspended", NoticeKind.ALLOCATION_SUSPENDED)
    return _carry_out(services, actor, allocation_id, reason, deed, _plainly(allocation_states.suspend))


def resume_allocation(services: Services, actor: Actor, allocation_id: UUID, *, reason: str) -> bool:
    """Let it pay for new jobs again; False when it does already.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        AllocationNotFound, AllocationStateRefused: from the ledger.
    """
    deed = _Deed("resumed", NoticeKind.ALLOCATION_RESUMED)
    return _carry_out(services, actor, allocation_id, reason, deed, _plainly(allocation_states.resume))


def close_allocation(services: Services, actor: Actor, allocation_id: UUID, *, reason: str) -> bool:
    """End it for good; False when it is closed already.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        AllocationNotFound: from the ledger.
    """
    deed = _Deed("closed", NoticeKind.ALLOCATION_CLOSED)
    return _carry_out(services, actor, allocation_id, reason, deed, _plainly(allocation_states.close))


def set_hold_policy(
    services: Services, actor: Actor, allocation_id: UUID, policy: HoldPolicy, *, reason: str
) -> bool:
    """Hold arrays of new jobs in full, or only what runs at once; False when it is so.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        AllocationNotFound: from the ledger.
    """

    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        return allocation_states.set_hold_policy(connection, policy=policy, **said)

    deed = _Deed("hold_policy_set", None, {"hold_policy": policy.value})
    return _carry_out(services, actor, allocation_id, reason, deed, work)


def carry_over_budget(  # noqa: PLR0913 - the facts of a deed
    services: Services,
    actor: Actor,
    source: UUID,
    target: UUID,
    *,
    lines: Mapping[Asset, int] | None,
    reason: str,
    key: str,
) -> bool:
    """Take what is left of one allocation, or these amounts of it, into the one that renews it.

    False when this key did it before.

    Raises:
        NotAllowed, InvalidEntry: see `_carry_out`.
        NotEnoughFree, InvalidAmount, AllocationNotFound, AllocationStateRefused: from the ledger.
    """
    deed = _Deed(
        "carried_over", NoticeKind.BUDGET_CARRIED_OVER, {"target": str(target), "lines": dict(lines or {})}
    )

    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        facts = {name: value for name, value in said.items() if name != "allocation_id"}
        return expire.carry_over(connection, source=source, target=target, lines=lines, key=key, **facts)

    return _carry_out(services, actor, source, reason, deed, work)


@dataclass(frozen=True, slots=True)
class _Deed:
    """How one of these verbs is told and recorded."""

    name: str
    notice: NoticeKind | None
    facts: Mapping[str, Any] | None = None


_Work = Callable[[Connection, Mapping[str, Any]], bool]


def _plainly(verb: Callable[..., bool]) -> _Work:
    def work(connection: Connection, said: Mapping[str, Any]) -> bool:
        return verb(connection, **said)

    return work


def _carry_out(  # noqa: PLR0913, PLR0917 - the one way in which all of them are done
    services: Services, actor: Actor, allocation_id: UUID, reason: str, deed: _Deed, do: _Work
) -> bool:
    """Do it in one transaction; tell and record it only when it changed something.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: no reason is given.
        AllocationNotFound: there is no such allocation.
    """
    permissions.require(actor, Action.GRANT)
    require([reason_problem(reason)])
    now = services.clock.now()
    said = {
        "allocation_id": allocation_id,
        "actor_id": actor.user_id,
        "reason": reason.strip(),
        "at": now,
    }

    def work(connection: Connection) -> bool:
        before = connection.execute(_FIND.where(col(Allocation.id) == allocation_id)).first()
        if before is None:
            raise AllocationNotFound(allocation_id)
        if not do(connection, said):
            return False
        facts = {"project": before.account, "reason": reason.strip(), **(deed.facts or {})}
        if deed.notice is not None:
            notify(
                connection,
                to=leads(connection, before.project_id) | managers(connection, before.organisation_id),
                kind=deed.notice,
                facts=facts,
                at=now,
                key=f"allocation:{allocation_id}:{deed.name}:{now.isoformat()}",
            )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=f"allocation.{deed.name}",
            subject=before.account,
            allocation_id=str(allocation_id),
            reason=reason.strip(),
            was={
                "state": before.state,
                "valid_to": before.valid_to.isoformat(),
                "hold_policy": before.hold_policy,
            },
            **(deed.facts or {}),
        )
        return True

    return transact(services.engine, work)


_FIND = select(
    col(Allocation.project_id),
    col(Allocation.state),
    col(Allocation.valid_to),
    col(Allocation.hold_policy),
    col(Project.account),
    col(Project.organisation_id),
).join(Project, col(Project.id) == col(Allocation.project_id))
