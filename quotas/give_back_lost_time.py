"""Give back at once what a site does not let people pay for, up to its cap for each job."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select

from quotas.journal import NewTransfer, record_and_move
from quotas.money import VND
from quotas.refunded import LOST, OfLine, charged, refund_entries, refunded
from quotas.tables import AccountingRecord, TransferKind, table_of
from schedulers.jobstate import JobState

_RECORDS = table_of(AccountingRecord)
_LATER = _RECORDS.alias("later")
_LOST = select(
    _RECORDS.c.run_key,
    _RECORDS.c.started_at,
    _RECORDS.c.allocation_id,
    _RECORDS.c.state,
    _RECORDS.c.elapsed_seconds,
    _RECORDS.c.free_seconds_per_job,
    _RECORDS.c.vnd,
    _RECORDS.c.tres_seconds,
).where(
    _RECORDS.c.job_id == bindparam("job"),
    _RECORDS.c.is_charged,
    _RECORDS.c.free_seconds_per_job > 0,
    ~exists().where(_LATER.c.run_key == _RECORDS.c.run_key, _LATER.c.revision > _RECORDS.c.revision),
)


def give_back_lost_time(conn: Connection, *, job_id: UUID, key: str, at: datetime) -> None:
    """Let what was given back be what the newest revisions of a job's runs say; see `refunds_due`.

    Call it after they were charged. The caller has locked the job's charges, and commits.
    """
    record_and_move(conn, refunds_due(conn, job_id=job_id, key=key, at=at))


def refunds_due(conn: Connection, *, job_id: UUID, key: str, at: datetime) -> Sequence[NewTransfer]:
    """What is to be given back, or taken back again, so that a job's refunds are what its runs say now.

    Of time lost in states that are free up to a cap, the runs that started first use up the cap; whatever
    the order in which they were told, the sum is the same. What people refunded by hand stays, as far as the
    job still costs as much. `key` names the revision that brings the change: each is told of once. Write
    these transfers together with the charge of that revision: neither is right without the other.
    """
    cost = charged(conn, job_id)
    automatic = refunded(conn, job_id, key=LOST)
    by_hand = {line: amount - automatic.get(line, 0) for line, amount in refunded(conn, job_id).items()}
    kept = {line: min(amount, cost.get(line, 0)) for line, amount in by_hand.items()}
    lost = {
        line: min(amount, cost[line] - kept.get(line, 0))
        for line, amount in _lost(conn, job_id).items()
        if line in cost
    }
    changes = (
        (f"{LOST}{key}", "our machines broke the run", _less(lost, automatic)),
        (f"reclaim:{key}", "the job was corrected to cost less than was refunded", _less(kept, by_hand)),
    )
    return [
        NewTransfer(
            TransferKind.REFUND,
            f"refund:{job_id}:{name}",
            at,
            refund_entries(conn, given),
            job_id,
            reason=reason,
        )
        for name, reason, given in changes
        if given
    ]


def _lost(conn: Connection, job_id: UUID) -> Mapping[OfLine, int]:
    """What runs of the job used of each line, in the part of their time that is free."""
    free: Counter[OfLine] = Counter()
    used_up: Counter[JobState] = Counter()
    lost = conn.execute(_LOST, {"job": job_id}).all()
    for row in sorted(lost, key=lambda row: (row.started_at, row.run_key)):
        seconds = min(row.elapsed_seconds, max(row.free_seconds_per_job - used_up[row.state], 0))
        used_up[row.state] += seconds
        if seconds:
            for asset, amount in {VND: row.vnd, **row.tres_seconds}.items():
                free[row.allocation_id, asset] += amount * seconds // row.elapsed_seconds
    return free


def _less(wanted: Mapping[OfLine, int], given: Mapping[OfLine, int]) -> dict[OfLine, int]:
    lines = wanted.keys() | given.keys()
    changes = {line: wanted.get(line, 0) - given.get(line, 0) for line in lines}
    return {line: amount for line, amount in changes.items() if amount}
