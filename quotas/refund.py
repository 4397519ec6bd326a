"""Give back what a job was charged, in part or wholly, and never more than that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from quotas.amounts import Asset
from quotas.checks import require_positive, require_whole
from quotas.errors import InvalidAmount, RefundRefused
from quotas.journal import NewTransfer, is_key_used, move_once
from quotas.money import VND
from quotas.refunded import OfLine, charged, lock_charges, refund_entries, refunded
from quotas.tables import TransferKind

_ALL = 100


@dataclass(frozen=True, slots=True)
class Refunded:
    """What one refund gave back."""

    by_line: Mapping[OfLine, int]
    """By allocation and asset; empty when the key gave it back before."""
    is_new: bool

    @property
    def by_asset(self) -> dict[Asset, int]:
        """Over the allocations that had paid."""
        total: dict[Asset, int] = {}
        for (_, asset), amount in self.by_line.items():
            total[asset] = total.get(asset, 0) + amount
        return total


def refund(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    job_id: UUID,
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
    percent: int | None = None,
    amounts: Mapping[Asset, int] | None = None,
) -> Refunded:
    """Move what a job was charged from consumed back to available: a share of every line, or amounts.

    A share is of what was charged, in whole percent, rounded down; together with earlier refunds it gives
    back no more than the charge. When the allocation that paid has ended, the amount expires with the next
    `expire_due`, unless it is carried over first. The same key again gives nothing back. The caller commits.

    Raises:
        RefundRefused: so much was not charged, or it was given back already; nothing is changed.
        InvalidAmount: not one of share and amounts is given, or a number makes no sense.
    """
    share = _require_one(percent, amounts)
    lock_charges(conn, job_id)
    key = f"refund:{job_id}:{key}"
    if is_key_used(conn, key):
        return Refunded({}, is_new=False)
    cost = charged(conn, job_id)
    before = refunded(conn, job_id)
    left = {line: amount - before.get(line, 0) for line, amount in cost.items()}
    if amounts is None:
        wanted = {line: min(cost[line] * share // _ALL, left[line]) for line in cost}
    else:
        wanted = _spread(job_id, amounts, left)
    given = {line: amount for line, amount in wanted.items() if amount > 0}
    if not given:
        asset = max(cost, key=lambda line: line[1] == VND)[1] if cost else VND
        raise RefundRefused(job_id, asset, 0, max(cost.values(), default=0) * share // _ALL)
    entries = refund_entries(conn, given)
    move_once(conn, NewTransfer(TransferKind.REFUND, key, at, entries, job_id, actor_id, reason))
    return Refunded(given, is_new=True)


def _require_one(percent: int | None, amounts: Mapping[Asset, int] | None) -> int:
    if (percent is None) == (amounts is None):
        raise InvalidAmount("percent", "give either a share or amounts")
    if amounts is not None:
        require_positive(amounts)
        return _ALL
    require_whole("percent", percent or 0, least=1, most=_ALL)
    return percent or 0


def _spread(job_id: UUID, amounts: Mapping[Asset, int], left: Mapping[OfLine, int]) -> dict[OfLine, int]:
    """Amounts over the allocations that paid, one after the other."""
    given: dict[OfLine, int] = {}
    for asset, amount in amounts.items():
        missing = amount
        for line in sorted(line for line in left if line[1] == asset):
            given[line] = min(missing, max(left[line], 0))
            missing -= given[line]
        if missing:
            raise RefundRefused(job_id, asset, amount - missing, amount)
    return given
