"""One's own webhook, and what became of the notices posted to it."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hpc_portal.api.notices_schemas import DeliveryReply, WebhookBody, WebhookReply, WebhookSecretReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.notices import webhooks
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["notices"])


@router.get("/webhook")
def show(services: PortalServices, actor: CurrentActor) -> WebhookReply | None:
    """Your webhook; null: you have none."""
    with services.reading() as session:
        found = webhooks.webhook_of(session, actor)
    return WebhookReply.model_validate(found) if found else None


@router.put("/webhook")
def set_webhook(services: PortalServices, actor: CurrentActor, body: WebhookBody) -> WebhookSecretReply:
    """Have notices posted there from now on; a first one gets a secret, shown only in this answer."""
    return WebhookSecretReply(secret=webhooks.set_webhook(services, actor, url=body.url))


@router.delete("/webhook", status_code=HTTPStatus.NO_CONTENT)
def remove(services: PortalServices, actor: CurrentActor) -> None:
    """Post nothing any more, and forget what was posted."""
    webhooks.remove_webhook(services, actor)


@router.post("/webhook/secret")
def renew_secret(services: PortalServices, actor: CurrentActor) -> WebhookSecretReply:
    """A new secret in place of the old one."""
    return WebhookSecretReply(secret=webhooks.renew_secret(services, actor))


@router.post("/webhook/test", status_code=HTTPStatus.ACCEPTED)
def test(services: PortalServices, actor: CurrentActor) -> None:
    """Have a notice posted that says nothing but that it is a test; see the deliveries."""
    webhooks.try_webhook(services, actor)


@router.get("/webhook/deliveries")
def list_deliveries(
    services: PortalServices,
    actor: CurrentActor,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PageReply[DeliveryReply]:
    """What was posted to your webhook within the last 30 days, newest first."""
    with services.reading() as session:
        found = webhooks.list_deliveries(session, actor, before=cursor, limit=limit)
    return PageReply(
        items=[DeliveryReply.model_validate(one) for one in found.items], next_cursor=found.next_cursor
    )
