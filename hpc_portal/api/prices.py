"""Prices in force, coming and in the making; subsidies and programmes."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from hpc_portal.api.prices_schemas import (
    DraftCreatedReply,
    DraftReply,
    DraftReviewReply,
    EndSubsidyBody,
    NewDraftBody,
    PriceDraftBody,
    PriceListBody,
    PriceListReply,
    ProgrammeBody,
    ProgrammeReply,
    PublishDraftBody,
    PublishedListReply,
    SubsidyBody,
    SubsidyCreatedReply,
    SubsidyReply,
    items_of,
)
from hpc_portal.api.schemas import ListReply, ReasonBody
from hpc_portal.app.prices import queries
from hpc_portal.app.prices.draft import change_draft, discard_draft, draft_prices
from hpc_portal.app.prices.publish import publish_draft, publish_prices, retire_prices
from hpc_portal.app.prices.subsidise import (
    add_to_programme,
    create_programme,
    end_rule,
    make_rule,
    remove_from_programme,
)
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["prices"])

Number = Annotated[int, Path(ge=0, lt=2**31)]


@router.get("/prices")
def prices(services: PortalServices, actor: CurrentActor) -> PriceListReply:
    """The price list in force."""
    del actor  # everybody who signs in may know the prices
    return PriceListReply.model_validate(services.price_list.get())


@router.post("/prices", status_code=HTTPStatus.CREATED)
def add_prices(services: PortalServices, actor: CurrentActor, body: PriceListBody) -> PriceListReply:
    """Publish the next version of the prices at once; jobs that are held already keep theirs."""
    published = publish_prices(
        services, actor, items_of(body.items), valid_from=body.valid_from, seen=body.seen
    )
    return PriceListReply.model_validate(published)


@router.get("/prices/lists")
def published_lists(services: PortalServices, actor: CurrentActor) -> ListReply[PublishedListReply]:
    """Every version that was ever published, and those to come."""
    del actor
    with services.engine.connect() as connection:
        found = queries.price_lists(connection, services.clock.now())
    return ListReply(items=[PublishedListReply.model_validate(item) for item in found])


@router.get("/prices/lists/{version}")
def published_list(services: PortalServices, actor: CurrentActor, version: Number) -> PublishedListReply:
    """One version."""
    del actor
    with services.engine.connect() as connection:
        found = queries.price_list(connection, version, services.clock.now())
    return PublishedListReply.model_validate(found)


@router.post("/prices/lists/{version}/retire", status_code=HTTPStatus.NO_CONTENT)
def retire_list(services: PortalServices, actor: CurrentActor, version: Number, body: ReasonBody) -> None:
    """Let a version price no new job; one that is to come never comes."""
    retire_prices(services, actor, version, reason=body.reason)


@router.get("/prices/drafts")
def list_drafts(services: PortalServices, actor: CurrentActor) -> ListReply[DraftReply]:
    """Prices in the making; for administrators and auditors."""
    with services.engine.connect() as connection:
        found = queries.drafts(connection, actor)
    return ListReply(items=[DraftReply.model_validate(item) for item in found])


@router.post("/prices/drafts", status_code=HTTPStatus.CREATED)
def add_draft(services: PortalServices, actor: CurrentActor, body: NewDraftBody) -> DraftCreatedReply:
    """Prepare prices, from a copy of those in force or from these."""
    items = None if body.items is None else items_of(body.items)
    return DraftCreatedReply(id=draft_prices(services, actor, name=body.name, items=items))


@router.get("/prices/drafts/{draft_id}")
def review_draft(services: PortalServices, actor: CurrentActor, draft_id: Number) -> DraftReviewReply:
    """A draft, what it would change, and what would have no price."""
    with services.engine.connect() as connection:
        found = queries.review_draft(services, connection, actor, draft_id)
    return DraftReviewReply.model_validate(found)


@router.put("/prices/drafts/{draft_id}", status_code=HTTPStatus.NO_CONTENT)
def replace_draft(
    services: PortalServices, actor: CurrentActor, draft_id: Number, body: PriceDraftBody
) -> None:
    """Replace all prices of a draft."""
    change_draft(services, actor, draft_id, name=body.name, items=items_of(body.items), edition=body.edition)


@router.delete("/prices/drafts/{draft_id}", status_code=HTTPStatus.NO_CONTENT)
def drop_draft(services: PortalServices, actor: CurrentActor, draft_id: Number) -> None:
    """Throw a draft away."""
    discard_draft(services, actor, draft_id)


@router.post("/prices/drafts/{draft_id}/publish", status_code=HTTPStatus.CREATED)
def publish(
    services: PortalServices, actor: CurrentActor, draft_id: Number, body: PublishDraftBody
) -> PriceListReply:
    """Publish a draft, now or later."""
    published = publish_draft(
        services, actor, draft_id, edition=body.edition, seen=body.seen, valid_from=body.valid_from
    )
    return PriceListReply.model_validate(published)


@router.get("/subsidies")
def list_subsidies(services: PortalServices, actor: CurrentActor) -> ListReply[SubsidyReply]:
    """Every rule that may concern you, ended ones too."""
    with services.engine.connect() as connection:
        found = queries.subsidy_rules(connection, actor, services.clock.now())
    return ListReply(items=[SubsidyReply.model_validate(item) for item in found])


@router.post("/subsidies", status_code=HTTPStatus.CREATED)
def add_subsidy(services: PortalServices, actor: CurrentActor, body: SubsidyBody) -> SubsidyCreatedReply:
    """Have a part of prices paid by the city."""
    return SubsidyCreatedReply(id=make_rule(services, actor, **dict(body)))


@router.post("/subsidies/{rule_id}/end", status_code=HTTPStatus.NO_CONTENT)
def end_subsidy(services: PortalServices, actor: CurrentActor, rule_id: Number, body: EndSubsidyBody) -> None:
    """Let a rule end; jobs that are held already keep it."""
    end_rule(services, actor, rule_id, valid_to=body.valid_to, reason=body.reason)


@router.get("/programmes")
def list_programmes(services: PortalServices, actor: CurrentActor) -> ListReply[ProgrammeReply]:
    """What the city promotes, and which of your projects take part."""
    with services.engine.connect() as connection:
        found = queries.programmes(connection, actor)
    return ListReply(items=[ProgrammeReply.model_validate(item) for item in found])


@router.post("/programmes", status_code=HTTPStatus.NO_CONTENT)
def add_programme(services: PortalServices, actor: CurrentActor, body: ProgrammeBody) -> None:
    """Name something that the city promotes."""
    create_programme(services, actor, slug=body.slug, name=body.name)


@router.put("/programmes/{programme}/projects/{account}", status_code=HTTPStatus.NO_CONTENT)
def add_project(services: PortalServices, actor: CurrentActor, programme: str, account: str) -> None:
    """Let a project take part from now on."""
    add_to_programme(services, actor, programme=programme, account=account)


@router.delete("/programmes/{programme}/projects/{account}", status_code=HTTPStatus.NO_CONTENT)
def remove_project(services: PortalServices, actor: CurrentActor, programme: str, account: str) -> None:
    """End a project's part in a programme."""
    remove_from_programme(services, actor, programme=programme, account=account)
