"""The controller's part of tenants: ends classes and service accounts, and forgets links that were mailed."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Text, cast, or_, update
from sqlmodel import col

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.service_accounts.end import end_those_that_are_over
from hpc_portal.app.tenants.end_class import end_due_classes
from hpc_portal.app.tenants.invite import VALID_FOR

TENANT_SECONDS = 20.0
_FORGET_EVERY = timedelta(minutes=10)


class TenantStep:
    """One pass over what is due."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._forgot_at: datetime | None = None

    async def __call__(self) -> bool:
        """Whether there may be more to do at once.

        Raises:
            LeaseLost: another controller is active.
        """
        now = self._context.clock.now()
        if self._forgot_at is None or now - self._forgot_at >= _FORGET_EVERY:
            await self._context.write(lambda connection: forget_links(connection, at=now))
            self._forgot_at = now
        await self._context.write(lambda connection: end_those_that_are_over(connection, at=now))
        return await self._context.write(lambda connection: end_due_classes(connection, at=now))


def forget_links(connection: Connection, *, at: datetime) -> int:
    """Forget the links of mails that were sent, given up, or that nobody can use any more; how many.

    Until then they are in the outbox, and nowhere else.
    """
    return connection.execute(
        update(Mail)
        .where(
            col(Mail.kind).in_([NoticeKind.INVITATION.value, NoticeKind.EMAIL_TO_CONFIRM.value]),
            or_(
                col(Mail.sent_at).is_not(None),
                col(Mail.given_up_at).is_not(None),
                col(Mail.created_at) <= at - VALID_FOR,
            ),
            cast(col(Mail.facts), Text).contains('"link"'),
        )
        .values(facts={})
    ).rowcount
