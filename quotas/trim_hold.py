"""Set less aside for a job that is under way: its walltime shrank."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select

from quotas.amounts import Asset
from quotas.checks import require_amounts
from quotas.holds import lock_hold, write_size
from quotas.journal import move, record_transfer
from quotas.money import VND
from quotas.pricing import price
from quotas.publish_prices import load_price_list
from quotas.set_subsidy import load_subsidy
from quotas.tables import Transfer, TransferKind, table_of
from schedulers.tres import Tres

_TRANSFERS = table_of(Transfer)

_RELEASES_BEFORE = (
    select(func.count())
    .select_from(_TRANSFERS)
    .where(_TRANSFERS.c.job_id == bindparam("job"), _TRANSFERS.c.kind == TransferKind.RELEASE)
)


def trim_hold(conn: Connection, *, job_id: UUID, at: datetime, unit: Mapping[Tres, int]) -> dict[Asset, int]:
    """Hold each open unit of a job at most as large as `unit`; what that freed, by asset.

    `unit` is TRES x seconds of one task, as in `hold`; it is priced at the job's pinned prices. Units never
    grow, see `top_up_hold`. It says how large the hold may be, not by how much it should shrink: again is
    fine, and frees nothing. What runs used is charged all the same. The caller commits.

    Raises:
        HoldNotFound: nothing was ever held for the job.
        InvalidAmount: a number that makes no sense; nothing is changed.
        UnpricedResource: the pinned price list does not price something in `unit`; nothing is changed.
    """
    require_amounts(unit, allow_vnd=False)
    lines = lock_hold(conn, job_id)
    if not lines[0].units_open:
        return {}
    price_list = load_price_list(conn, lines[0].price_list_id)
    subsidy = load_subsidy(conn, lines[0].subsidy_rule_id)
    amounts: dict[Asset, int] = {**unit, VND: price(unit, lines[0].partition, price_list, subsidy).total}
    units = {line.asset: min(line.unit_amount, amounts.get(line.asset, 0)) for line in lines}
    left = {line.asset: min(line.open_amount, line.units_held * units[line.asset]) for line in lines}
    freed = {line.asset: line.open_amount - left[line.asset] for line in lines}
    if any(freed.values()):
        moved = {line.available_id: freed[line.asset] for line in lines}
        moved |= {line.held_id: -freed[line.asset] for line in lines}
        move(conn, moved)
        number = conn.execute(_RELEASES_BEFORE, {"job": job_id}).scalar_one()  # exact: the hold is locked
        record_transfer(
            conn,
            kind=TransferKind.RELEASE,
            key=f"trim:{job_id}:{number}",
            at=at,
            amounts=moved,
            job_id=job_id,
            reason="the walltime shrank",
        )
    write_size(conn, lines, units=units, amounts=left)
    return {asset: amount for asset, amount in freed.items() if amount}
