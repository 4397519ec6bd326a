"""Bodies and replies about prices, subsidies and programmes."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from hpc_portal.api.schemas import Body, Reason, ReasonBody, Reply, Text
from hpc_portal.app.prices.queries import Standing
from quotas.pricing import PriceItem
from quotas.tables import OrganisationKind
from schedulers.instant import Instant

Amount = Annotated[int, Field(ge=0, lt=2**53)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class PriceItemModel(Body):
    """What an hour of one unit costs: a CPU, a GPU, a licence; for `mem`, one GiB."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    tres: Text
    rate_vnd_per_hour: Amount
    partition: Annotated[str, StringConstraints(max_length=64)] | None = None
    """null for all partitions; a partition's own price goes before it. A name counts on every cluster."""


Items = Annotated[list[PriceItemModel], Field(min_length=1, max_length=1000)]


def items_of(models: list[PriceItemModel]) -> list[PriceItem]:
    """The prices in a body.

    Raises:
        InvalidAmount: a resource that is not priced.
        InvalidJobSpec: no resource at all.
    """
    return [PriceItem(item.tres, item.rate_vnd_per_hour, item.partition or None) for item in models]


class PriceListBody(Body):
    """The next version of the prices; jobs that are held already keep theirs."""

    items: Items
    valid_from: Instant | None = None
    """null means from now on."""
    seen: Count | None = None
    """The latest version that you compared with; when another one was published since, you are told."""


class PriceListReply(Reply):
    """A version of the prices."""

    version: int
    items: list[PriceItemModel]


class PublishedListReply(PriceListReply):
    """A published version, and where it stands."""

    standing: Standing
    valid_from: datetime
    published_at: datetime
    retired_at: datetime | None


class NewDraftBody(Body):
    """Prices to prepare."""

    name: Text
    items: Items | None = None
    """null copies those in force."""


class PriceDraftBody(Body):
    """All prices of a draft."""

    name: Text
    items: Items
    edition: Count
    """Of the draft, as you loaded it."""


class DraftCreatedReply(Reply):
    """A new draft."""

    id: int


class DraftReply(Reply):
    """Prices in the making."""

    id: int
    name: str
    copied_from: int | None
    edition: int
    changed_at: datetime
    items: list[PriceItemModel]


class PriceChangeReply(Reply):
    """One price that is new (`before` null), other, or gone (`after` null)."""

    tres: str
    partition: str | None
    before: int | None
    after: int | None


class UnpricedReply(Reply):
    """A resource that no job could use: it would have no price."""

    cluster: str
    partition: str
    tres: str


class DraftReviewReply(Reply):
    """A draft, and what publishing it would change."""

    draft: DraftReply
    latest: int
    """The latest published version; name it as `seen` when you publish."""
    changes: list[PriceChangeReply]
    unpriced: list[UnpricedReply]
    unknown: list[PriceItemModel]
    """Prices of what no cluster has."""


class PublishDraftBody(Body):
    """Publish a draft just as it was looked at."""

    edition: Count
    seen: Count
    """`latest` of the review."""
    valid_from: Instant | None = None
    """null means from now on."""


class SubsidyBody(Body):
    """Whom it is for (all that is null means anybody), how much, and when."""

    organisation: Text | None = None
    programme: Text | None = None
    organisation_kind: OrganisationKind | None = None
    basis_points: Annotated[int, Field(ge=0, le=10_000)]
    """Hundredths of a percent of the list price: 2500 is a quarter; 0 is an exception from other rules."""
    cap_vnd: Amount | None = None
    """At most so much for each run of a task."""
    valid_from: Instant | None = None
    """null means from now on."""
    valid_to: Instant | None = None
    """Exclusive; null means until it is ended."""
    reason: Reason


class SubsidyCreatedReply(Reply):
    """A new rule."""

    id: int


class SubsidyReply(Reply):
    """One rule. The most particular one that applies counts; they are never added up."""

    id: int
    organisation: str | None
    programme: str | None
    organisation_kind: OrganisationKind | None
    basis_points: int
    cap_vnd: int | None
    valid_from: datetime
    valid_to: datetime | None
    standing: Standing
    reason: str


class EndSubsidyBody(ReasonBody):
    """When a rule ends."""

    valid_to: Instant | None = None
    """null means now."""


class ProgrammeBody(Body):
    """Something that the city promotes."""

    slug: Text
    name: Text


class ProgrammeReply(Reply):
    """A programme, and those of its projects that you may see."""

    slug: str
    name: str
    projects: list[str]
