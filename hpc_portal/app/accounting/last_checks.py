"""Since when each nightly check of the books was not made."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.accounting.check_step import BOOKS
from hpc_portal.app.accounting.tables import AccountingCheck
from quotas.tables import AccountingRecord

CHECK_LATE = timedelta(hours=30)
"""A night that was missed; helm/hpc-portal/alerts.yaml says the same."""


def last_checked(connection: Connection) -> dict[str, datetime]:
    """When each was last finished; one that never was, when the first run ended that it would have found.

    `books` is missing as long as there is nothing to check.
    """
    checks = connection.execute(select(col(AccountingCheck.name), col(AccountingCheck.checked_at)))
    finished: dict[str, datetime | None] = {BOOKS: None, **{row.name: row.checked_at for row in checks}}
    if None in finished.values():
        first = connection.execute(select(func.min(col(AccountingRecord.ended_at)))).scalar()
        finished = {name: at or first for name, at in finished.items()}
    return {name: at for name, at in finished.items() if at}
