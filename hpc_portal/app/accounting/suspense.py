"""Use by accounts and people that the portal does not know: on the work list until somebody pays for it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.tables import UnclaimedRun
from quotas import discrepancies
from quotas.discrepancies import LONGEST_KEY, Finding
from quotas.usage_tables import DiscrepancyKind
from schedulers.external import ExternalRun
from schedulers.tres import Tres, times

_RUN = TypeAdapter(ExternalRun)
_ROWS_AT_ONCE = 1000


def keep_suspense(connection: Connection, cluster: str, *, at: datetime) -> int:
    """Put what is in suspense on the work list, by account, person and reason; how many groups are news.

    Groups that were charged by now are resolved by themselves.
    """
    findings = list(_groups(connection, cluster))
    news = discrepancies.report(connection, findings, at=at)
    discrepancies.resolve_gone(
        connection,
        DiscrepancyKind.UNKNOWN_ACCOUNT,
        found={finding.key for finding in findings},
        at=at,
        prefix=_key(cluster, "", ""),
    )
    return news


def _groups(connection: Connection, cluster: str) -> Iterator[Finding]:
    """What each person used under each account, that nobody pays for."""
    runs: dict[tuple[str, str], int] = defaultdict(int)
    used: dict[tuple[str, str], dict[Tres, int]] = defaultdict(dict)
    why: dict[tuple[str, str], str] = {}
    rows = connection.execute(
        select(
            col(UnclaimedRun.account),
            col(UnclaimedRun.cluster_user),
            col(UnclaimedRun.why),
            col(UnclaimedRun.record),
        ).where(col(UnclaimedRun.cluster) == cluster)
    )
    for row in rows.yield_per(_ROWS_AT_ONCE):
        group = row.account, row.cluster_user
        run = _RUN.validate_python(row.record)
        runs[group] += 1
        why[group] = row.why
        for name, amount in times(run.allocated_tres, run.elapsed_seconds).items():
            used[group][name] = used[group].get(name, 0) + amount
    for account, user in sorted(runs):
        group = account, user
        facts = {
            "cluster": cluster,
            "account": account,
            "cluster_user": user,
            "why": why[group],
            "runs": runs[group],
            "tres_seconds": dict(sorted(used[group].items())),
        }
        yield Finding(DiscrepancyKind.UNKNOWN_ACCOUNT, _key(cluster, f"{account}:", user), facts)


def _key(cluster: str, account: str, user: str) -> str:
    return f"unknown_account:{cluster}:{account}{user}"[:LONGEST_KEY]
