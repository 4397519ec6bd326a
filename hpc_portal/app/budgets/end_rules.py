"""Decide which ends of runs are paid for."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlmodel import Session

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from quotas.end_states import EndRule, list_end_rules, set_end_rule
from schedulers.jobstate import JobState


@dataclass(frozen=True, slots=True)
class WantedRule:
    """A rule to be."""

    state: JobState
    is_charged: bool
    free_seconds_per_job: int | None = None
    """Of a charged state: so much of it is given back automatically."""


def read_end_rules(session: Session, actor: Actor) -> list[EndRule]:
    """Every end of a run, and whether it is paid for.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    return list(list_end_rules(session.connection()))


def decide_end_rule(services: Services, actor: Actor, wanted: WantedRule, *, reason: str) -> None:
    """For runs that are settled from now on.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: no reason is given.
        InvalidAmount: from the ledger.
    """
    permissions.require(actor, Action.GRANT)
    require([reason_problem(reason)])
    now = services.clock.now()

    def work(connection: Connection) -> None:
        before = next((rule for rule in list_end_rules(connection) if rule.state is wanted.state), None)
        set_end_rule(
            connection,
            state=wanted.state,
            is_charged=wanted.is_charged,
            free_seconds_per_job=wanted.free_seconds_per_job,
            set_by=actor.user_id if actor.user_id.int else None,
            reason=reason.strip(),
            at=now,
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="end_rule.set",
            subject=wanted.state.value,
            is_charged=wanted.is_charged,
            free_seconds_per_job=wanted.free_seconds_per_job,
            reason=reason.strip(),
            was=before
            and {
                "is_charged": before.is_charged,
                "free_seconds_per_job": before.free_seconds_per_job,
            },
        )

    transact(services.engine, work)
