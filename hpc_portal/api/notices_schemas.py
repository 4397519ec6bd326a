"""Bodies and replies about how people are told, and of their webhooks."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.notices.groups import MailPace, NoticeGroup


class GroupChoiceBody(Body):
    """How to be told of one group of notices."""

    on_page: Flag
    by_mail: MailPace
    by_webhook: Flag
    """Where you have set one up."""


class GroupChoiceReply(Reply):
    """How you are told of one group of notices."""

    group: NoticeGroup
    on_page: bool
    by_mail: MailPace
    by_webhook: bool


class WebhookBody(Body):
    """Where notices are posted to."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class WebhookReply(Reply):
    """Your webhook, without its secret."""

    url: str
    created_at: datetime
    failures: int
    """Tries in a row that came to nothing."""
    failing_since: datetime | None
    disabled_at: datetime | None
    """When it was switched off because it took nothing any more; set it anew to switch it on."""


class WebhookSecretReply(Reply):
    """The secret that signs what is posted."""

    secret: str | None
    """Shown only now; null: the one that you have goes on."""


class DeliveryReply(Reply):
    """One notice that was posted, or will be."""

    id: UUID
    kind: str
    created_at: datetime
    attempts: int
    status: int | None
    """What the receiver last answered; null: nothing."""
    problem: str
    delivered_at: datetime | None
    given_up_at: datetime | None
    next_at: datetime | None
    """When it is tried again; null: it is over."""
