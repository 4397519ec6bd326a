"""Add what runs needed of memory to records and roll-ups that were written before anybody kept it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, text, update

from quotas.append_only import append_only_ddl, drop_append_only_ddl
from quotas.fold_usage import organisations_of, sum_usage, write_usage
from quotas.freeze_months import freeze_ddl, unfreeze_ddl
from quotas.refunded import lock_charges
from quotas.slice_run import recorded_run
from quotas.tables import AccountingRecord, table_of

_RECORDS = table_of(AccountingRecord)
_LATER = _RECORDS.alias("later")
_NEWEST = select(func.max(_LATER.c.revision)).where(_LATER.c.run_key == _RECORDS.c.run_key).scalar_subquery()
_WITHOUT_PEAKS = (
    select(_RECORDS)
    .where(
        _RECORDS.c.run_key.in_(bindparam("keys", expanding=True)),
        _RECORDS.c.revision == _NEWEST,
        _RECORDS.c.peak_mem_mib.is_(None),
    )
    .order_by(_RECORDS.c.id)
)
_WRITE_PEAK = (
    update(_RECORDS).where(_RECORDS.c.id == bindparam("record")).values(peak_mem_mib=bindparam("peak"))
)
_PROTECTED = ("accounting_record", "usage_day", "usage_sum")


def fold_peaks(conn: Connection, peaks: Mapping[str, int]) -> int:
    """Give the newest record of each of these runs its peak, in MiB, where it has none; how many there were.

    Money stays as it is, and so does what closed months say of it: only measures of memory are added, on the
    day and in the month in which the run was posted. The caller names some thousand runs, and commits.
    """
    if not peaks:
        return 0
    for job_id in sorted({row["job_id"] for row in _records(conn, peaks)}):
        lock_charges(conn, job_id)
    with _may_rewrite(conn):
        records = _records(conn, peaks)
        changes = []
        for record in records:
            before = recorded_run(record)
            after = recorded_run({**record, "peak_mem_mib": peaks[record["run_key"]]})
            open_from = record["open_from"] or date.min
            changes += [(before, -1, open_from), (after, 1, open_from)]
        if records:
            values = [{"record": one["id"], "peak": peaks[one["run_key"]]} for one in records]
            conn.execute(_WRITE_PEAK, values)
            organisations = organisations_of(conn, {one["project_id"] for one in records})
            write_usage(conn, *sum_usage(changes, organisations))
    return len(records)


def _records(conn: Connection, peaks: Mapping[str, int]) -> list[dict[str, Any]]:
    rows: list[RowMapping] = list(conn.execute(_WITHOUT_PEAKS, {"keys": sorted(peaks)}).mappings())
    return [dict(row) for row in rows]


@contextmanager
def _may_rewrite(conn: Connection) -> Iterator[None]:
    """Within this transaction alone, and on PostgreSQL with all others kept from writing meanwhile."""
    kind = conn.dialect.name
    if kind == "postgresql":
        lift = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in _PROTECTED]
        protect = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in _PROTECTED]
    else:
        lift = [*drop_append_only_ddl(kind, ["accounting_record"]), *unfreeze_ddl(kind)]
        protect = [*append_only_ddl(kind, ["accounting_record"]), *freeze_ddl(kind)]
    for statement in lift:
        conn.execute(text(statement))
    yield
    for statement in protect:
        conn.execute(text(statement))
