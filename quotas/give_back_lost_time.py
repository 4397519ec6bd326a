"""Give back at once what a site does not let people pay for, up to its cap for each job."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select

from quotas.end_states import EndRules
from quotas.errors import RefundRefused
from quotas.refund import refund
from quotas.refunded import charged
from quotas.runs import RunUsage
from quotas.tables import AccountingRecord, table_of
from schedulers.jobstate import JobState

_RECORDS = table_of(AccountingRecord)
_LATER = _RECORDS.alias("later")
_LOST = (
    select(
        _RECORDS.c.run_key,
        _RECORDS.c.state,
        _RECORDS.c.elapsed_seconds,
        _RECORDS.c.vnd,
        _RECORDS.c.tres_seconds,
    )
    .where(
        _RECORDS.c.job_id == bindparam("job"),
        _RECORDS.c.state.in_(bindparam("states", expanding=True)),
        _RECORDS.c.is_charged,
        ~exists().where(_LATER.c.run_key == _RECORDS.c.run_key, _LATER.c.revision > _RECORDS.c.revision),
    )
    .order_by(_RECORDS.c.id)
)


def give_back_lost_time(
    conn: Connection, *, job_id: UUID, runs: Sequence[RunUsage], rules: EndRules, at: datetime
) -> int:
    """Refund what runs lost in states that are free up to a cap; how many đồng came back.

    Call it after these runs were settled or corrected, in the same transaction. The first runs of a job use
    up its free time; each run is refunded once, however often it is told. The caller commits.
    """
    told = {run.run_key for run in runs if rules.free_seconds.get(run.state)}
    if not told:
        return 0
    left = dict(rules.free_seconds)
    came_back = 0
    for row in conn.execute(_LOST, {"job": job_id, "states": list(left)}).all():
        state = JobState(row.state)
        free = min(left[state], row.elapsed_seconds)
        left[state] -= free
        if free and row.run_key in told:
            share = _share({"VND": row.vnd, **row.tres_seconds}, free, row.elapsed_seconds)
            came_back += _refund(conn, job_id, share, row.run_key, at)
    return came_back


def _share(used: Mapping[str, int], free: int, elapsed: int) -> dict[str, int]:
    return {asset: amount * free // elapsed for asset, amount in used.items() if amount * free // elapsed}


def _refund(conn: Connection, job_id: UUID, share: Mapping[str, int], run_key: str, at: datetime) -> int:
    paid_for = {asset for _, asset in charged(conn, job_id)}
    amounts = {asset: amount for asset, amount in share.items() if asset in paid_for}
    if not amounts:
        return 0
    try:
        given = refund(
            conn,
            job_id=job_id,
            amounts=amounts,
            actor_id=None,
            reason="our machines broke the run",
            key=f"lost:{run_key}",
            at=at,
        )
    except RefundRefused:  # somebody gave it back already
        return 0
    return given.by_asset.get("VND", 0)
