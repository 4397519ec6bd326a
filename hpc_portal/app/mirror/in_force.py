"""Which budgets the cluster enforces already, for the dispatch loop: a job goes there once its budget has."""

import asyncio
from uuid import UUID

from hpc_portal.app.mirror.budgets import portal_qos
from schedulers.mirror import ClusterAccounts

NOT_IN_FORCE = "BudgetNotInForce"
"""Why a job waits whose account or budget the cluster does not know yet."""


class BudgetsInForce:
    """Written by the mirror's loop, read by the dispatch loop of the same controller."""

    def __init__(self) -> None:
        self.missed = asyncio.Event()
        """Set when a job had to wait: the mirror should look at once."""
        self._known: frozenset[tuple[str, str, str]] = frozenset()

    def note(self, seen: ClusterAccounts) -> None:
        """The cluster is known to be so."""
        self._known = frozenset(
            (member.account, member.user, qos)
            for member in seen.members.values()
            for qos in member.budgets or ()
        )

    def qos_of(self, account: str, user: str, allocation_id: UUID) -> str | None:
        """The QOS of a job whose budget is held in this allocation; None while the cluster has it not."""
        qos = portal_qos(account, allocation_id)
        if (account, user, qos) in self._known:
            return qos
        self.missed.set()
        return None
