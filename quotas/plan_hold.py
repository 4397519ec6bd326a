"""Which allocation pays for which new job, as far as what was read tells: pure; see hold.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quotas.amounts import Asset
from quotas.checks import require_amounts, require_whole
from quotas.coverage import demanded, uncovered
from quotas.errors import Shortage
from quotas.money import VND
from quotas.payers import Payer, PayingLine
from quotas.pricing import PriceList, price
from quotas.standing import Standing
from quotas.subsidies import NO_SUBSIDY, Subsidy
from quotas.tables import HoldPolicy
from schedulers.tres import Tres

_MOST_UNITS = 10**6


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """What a job may need at most: `units` x `unit`, priced by a list that is pinned for its life."""

    project_id: UUID
    job_id: UUID
    unit: Mapping[Tres, int]
    """TRES x seconds of one array task, or of a job that is no array."""
    units: int
    partition: str
    price_list: PriceList
    subsidy: Subsidy = NO_SUBSIDY
    """Pinned, too."""
    units_at_once: int | None = None
    """How many of them may be under way at a time: an allocation whose policy is rolling holds no more."""


@dataclass(frozen=True, slots=True)
class PricedRequest:
    """A request that makes sense."""

    job_id: UUID
    project_id: UUID
    unit: Mapping[Asset, int]
    """With the price of a unit under VND."""
    units: int
    partition: str
    price_list_id: int
    subsidy_rule_id: int | None
    at: datetime
    units_at_once: int | None

    def needs(self, line: PayingLine) -> int:
        """What is set aside at submit, in one line."""
        return self.unit.get(line.asset, 0) * min(self.units, self.window(line) or self.units)

    def needs_at_all(self, asset: Asset) -> int:
        """Of all units."""
        return self.unit.get(asset, 0) * self.units

    def window(self, line: PayingLine) -> int | None:
        """How many units are set aside at a time; None: all of them."""
        return self.units_at_once if line.hold_policy == HoldPolicy.ROLLING else None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no allocation pays for a request."""

    shortages: Sequence[Sequence[Shortage]]
    """What each of those that may lacks, of every asset."""
    stopped_by: Standing | None
    """Or one could, if this one were active."""


@dataclass(frozen=True, slots=True)
class Grip:
    """A request, and the lines of the allocation that shall pay for it."""

    request: PricedRequest
    lines: Sequence[PayingLine]

    @property
    def key(self) -> str:
        """Of the transfer."""
        return f"hold:{self.request.job_id}"

    @property
    def taken(self) -> dict[int, int]:
        """By account: less is available."""
        return {line.available_id: -self.request.needs(line) for line in self.lines}

    @property
    def set_aside(self) -> dict[int, int]:
        """By account: more is held."""
        return {line.held_id: self.request.needs(line) for line in self.lines}


def price_request(request: HoldRequest, at: datetime) -> PricedRequest:
    """The same, checked and with the price of a unit.

    Raises:
        UnpricedResource: something has no price.
        InvalidAmount: a number that makes no sense.
    """
    require_amounts(request.unit, allow_vnd=False)
    require_whole("units", request.units, least=1, most=_MOST_UNITS)
    if request.units_at_once is not None:
        require_whole("units_at_once", request.units_at_once, least=1)
    unit_vnd = price(request.unit, request.partition, request.price_list, request.subsidy).total
    return PricedRequest(
        job_id=request.job_id,
        project_id=request.project_id,
        unit={**request.unit, VND: unit_vnd},
        units=request.units,
        partition=request.partition,
        price_list_id=request.price_list.id,
        subsidy_rule_id=request.subsidy.rule_id,
        at=at,
        units_at_once=request.units_at_once,
    )


def plan(
    requests: Mapping[int, PricedRequest], payers: Mapping[UUID, Sequence[Payer]]
) -> tuple[dict[int, Grip], dict[int, Refused]]:
    """Who takes from where, as far as what was read tells; for the others, why nobody pays.

    By any numbers that tell the requests apart, in whose order they come. What is planned to be taken is
    taken off the payers' lines.
    """
    grips: dict[int, Grip] = {}
    refused: dict[int, Refused] = {}
    for place, request in requests.items():
        outcome = _choose(payers[request.project_id], request)
        if isinstance(outcome, Refused):
            refused[place] = outcome
            continue
        grips[place] = outcome
        for line in outcome.lines:
            line.promisable -= request.needs(line)
    return grips, refused


def _choose(payers: Sequence[Payer], request: PricedRequest) -> Grip | Refused:
    short: list[Sequence[Shortage]] = []
    stopped: Standing | None = None
    for payer in payers:
        lacking = _shortages(payer.lines, request)
        if not lacking and payer.stopped_by is None:
            return Grip(request, payer.lines)
        if not lacking:
            stopped = stopped or payer.stopped_by
        elif payer.stopped_by is None:
            short.append(lacking)
    return Refused(short or [_all_of(request, demanded(request.unit)[0])], stopped)


def _shortages(lines: Sequence[PayingLine], request: PricedRequest) -> Sequence[Shortage]:
    """What keeps this allocation from paying, as far as what was read tells.

    One without a line for something can never pay, so that all that is needed must come from another.
    """
    if (name := uncovered(request.unit, {line.asset for line in lines})) is not None:
        return _all_of(request, name)
    return [
        Shortage(line.asset, max(line.promisable, 0), needed)
        for line in lines
        if (needed := request.needs(line)) > max(line.promisable, 0)
    ]


def _all_of(request: PricedRequest, first: Asset) -> Sequence[Shortage]:
    """All that an allocation must have lines for."""
    names = [first, *(name for name in demanded(request.unit) if name != first)]
    return [Shortage(name, 0, request.needs_at_all(name)) for name in names]
