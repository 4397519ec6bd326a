"""End service accounts: when somebody says so, and those that are over by the rule of `in_force`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.service_accounts.in_force import why_over
from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceEnd
from hpc_portal.app.tables import ApiToken, ProjectMember, User

_AT_ONCE = 50


def end_in(  # noqa: PLR0913 - the facts of one deed
    connection: Connection, user_id: UUID, username: str, why: ServiceEnd, *, actor: Actor, at: datetime
) -> bool:
    """End one in this transaction; False when it had ended. What it submitted goes on."""
    ended = connection.execute(
        update(ServiceAccount)
        .where(col(ServiceAccount.user_id) == user_id, col(ServiceAccount.ended_at).is_(None))
        .values(ended_at=at, ended_why=why)
    ).rowcount
    if not ended:
        return False
    connection.execute(
        update(ApiToken)
        .where(col(ApiToken.user_id) == user_id)
        .values(revoked_at=func.coalesce(col(ApiToken.revoked_at), at))
    )
    connection.execute(delete(ProjectMember).where(col(ProjectMember.user_id) == user_id))
    connection.execute(update(User).where(col(User.id) == user_id).values(is_active=False))
    audit.record(
        connection, at=at, actor=actor, action="service_account.ended", subject=username, why=why.value
    )
    return True


def end_those_that_are_over(connection: Connection, *, at: datetime) -> bool:
    """Write down the end of those that no request is let in for any more; whether there may be more."""
    over = why_over(at)
    found = connection.execute(
        select(col(ServiceAccount.user_id), col(User.username), over)
        .join(User, col(User.id) == col(ServiceAccount.user_id))
        .where(col(ServiceAccount.ended_at).is_(None), over.is_not(None))
        .order_by(col(ServiceAccount.user_id))
        .limit(_AT_ONCE)
    ).all()
    for row in found:
        end_in(connection, row.user_id, row.username, ServiceEnd(row.over), actor=OPERATOR, at=at)
    return len(found) == _AT_ONCE
