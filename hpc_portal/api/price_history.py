"""Which prices were in force when, and what each version changed."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from hpc_portal.api.prices_schemas import PriceChangeReply, PublishedListReply
from hpc_portal.api.schemas import ListReply, Reply
from hpc_portal.app.prices.history import price_history, price_list_at
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.instant import Instant

router = APIRouter(tags=["prices"])


class PastVersionReply(Reply):
    """A published version in its place in time."""

    published: PublishedListReply
    replaced: int | None
    """The version in force before it; null: none, or it never came into force."""
    until: datetime | None
    """When it ceased to be in force; null: it is, may still be, or never was."""
    changes: list[PriceChangeReply]
    """Against the version that it replaced."""


@router.get("/prices/history")
def history(services: PortalServices, actor: CurrentActor) -> ListReply[PastVersionReply]:
    """Every version that was ever published with its time and what it changed, the newest in front."""
    del actor  # everybody who signs in may know the prices
    with services.engine.connect() as connection:
        found = price_history(connection, services.clock.now())
    return ListReply(items=[PastVersionReply.model_validate(one) for one in found])


@router.get("/prices/at")
def at(
    services: PortalServices,
    actor: CurrentActor,
    instant: Annotated[Instant, Query(examples=["2026-11-01T00:00:00+07:00"])],
) -> PublishedListReply:
    """The list by which a job was priced that was submitted at that instant."""
    del actor
    with services.engine.connect() as connection:
        return PublishedListReply.model_validate(price_list_at(connection, instant, now=services.clock.now()))
