"""The form of a request for quota: what it shows, and what is read from it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from starlette.datastructures import FormData, QueryParams

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.reports.period import YEARS
from hpc_portal.app.requests.amounts import NotAnAmount, as_units, parse_units, problem_of
from hpc_portal.app.requests.checks import MOST_LINES, WantedQuota
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.web.language import Language
from hpc_portal.web.show_prices import hourly
from hpc_portal.web.show_quota import asset_label
from hpc_portal.web.show_request import as_field_day, last_moment, show_unit
from quotas.amounts import STORAGE, Asset
from quotas.checks import LARGEST_AMOUNT, LONGEST_ASSET_NAME
from quotas.money import VND
from quotas.pricing import PriceList
from schedulers.units import CITY_TIME
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class FormLine:
    """One resource that can be asked for."""

    asset: str
    label: str
    unit: str
    price: str
    """Of one unit, at list prices; "" where there is none."""
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The form as it was filled in, also with what makes no sense."""

    project: str = ""
    kind: RequestKind = RequestKind.NEW
    from_day: str = ""
    last_day: str = ""
    purpose: str = ""
    amounts: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    allocation_id: UUID | None = None


def form_of(project: str, wanted: WantedQuota) -> RequestForm:
    """The form of what is asked for already."""
    return RequestForm(
        project=project,
        kind=wanted.kind,
        from_day=as_field_day(wanted.valid_from),
        last_day=as_field_day(wanted.valid_to and last_moment(wanted.valid_to)),
        purpose=wanted.purpose,
        amounts={asset: as_units(asset, amount) for asset, amount in wanted.lines.items()},
        reasons=wanted.reasons,
        allocation_id=wanted.allocation_id,
    )


def read_form(form: FormData) -> RequestForm:
    """As a browser sends it; empty amounts are resources that nobody asks for."""
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    kind = fields.get("kind", "")
    return RequestForm(
        project=fields.get("project", ""),
        kind=RequestKind(kind) if kind in set(RequestKind) else RequestKind.NEW,
        from_day=fields.get("from_day", ""),
        last_day=fields.get("last_day", ""),
        purpose=fields.get("purpose", "").replace("\r\n", "\n"),
        amounts=_under("amount.", fields),
        reasons=_under("reason.", fields),
        allocation_id=_uuid(fields.get("allocation_id", "")),
    )


def wanted_by(form: RequestForm) -> WantedQuota:
    """What the form asks for.

    Raises:
        InvalidEntry: an amount is no number, or a day is no day.
    """
    problems: list[Problem] = []
    lines = read_amounts(form.amounts, problems)
    begin = _day(form.from_day, "valid_from", problems)
    last = _day(form.last_day, "valid_to", problems)
    if problems:
        raise InvalidEntry(problems)
    return WantedQuota(
        kind=form.kind,
        lines=lines,
        valid_from=begin,
        valid_to=last and last + timedelta(days=1),
        purpose=form.purpose,
        reasons={asset: text for asset, text in form.reasons.items() if asset in lines},
        allocation_id=form.allocation_id,
    )


def read_amounts(
    amounts: Mapping[str, str], problems: list[Problem], *, name: str = "lines", least: int = 1
) -> dict[str, int]:
    """Numbers as people enter them, by asset; what is none is added to `problems`."""
    found: dict[str, int] = {}
    for asset, text in amounts.items():
        if least == 0 and text.strip() in {"", "0"}:
            found[asset] = 0
            continue
        try:
            found[asset] = parse_units(asset, text)
        except NotAnAmount as error:
            problems.append(problem_of(error, f"{name}.{asset}"))
    return found


def read_missing(parameters: QueryParams) -> dict[Asset, int]:
    """What a refused job lacked, from the address that the refusal led to, without what makes no sense."""
    given = (
        (name.removeprefix("missing."), text)
        for name, text in parameters.items()
        if name.startswith("missing.")
    )
    return {
        asset: min(int(text), LARGEST_AMOUNT)
        for asset, text in itertools.islice(given, MOST_LINES)
        if text.isdecimal() and len(text) <= len(str(LARGEST_AMOUNT)) and len(asset) <= LONGEST_ASSET_NAME
    }


def read_last_day(text: str, problems: list[Problem]) -> datetime | None:
    """The instant at which a period ends whose last day this is; None for no day."""
    last = _day(text, "valid_to", problems)
    return last and last + timedelta(days=1)


def form_lines(
    form: RequestForm, assets: Sequence[str], prices: PriceList | None, language: Language
) -> tuple[FormLine, ...]:
    """One for each resource that there is, and those that are asked for anyway."""
    known = {VND, STORAGE, *assets}
    rest = sorted(known.union(form.amounts) - {VND, STORAGE}, key=_order)
    rates = (
        {item.tres: item.rate_vnd_per_hour for item in prices.items if not item.partition} if prices else {}
    )
    return tuple(
        FormLine(
            asset=asset,
            label=asset_label(asset, language),
            unit=show_unit(asset, language),
            price=hourly(asset, rates[asset], language) if asset in rates else "",
            value=form.amounts.get(asset, ""),
            reason=form.reasons.get(asset, ""),
        )
        for asset in (*rest, VND, STORAGE)
    )


def _order(asset: str) -> tuple[int, str]:
    """GPUs first, then CPU and memory, then licences."""
    ranks = ("gres/", "cpu", "mem", "license/")
    return next((rank for rank, start in enumerate(ranks) if asset.startswith(start)), len(ranks)), asset


def _under(prefix: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value.strip()
        for name, value in fields.items()
        if name.startswith(prefix) and value.strip()
    }


def _day(text: str, name: str, problems: list[Problem]) -> datetime | None:
    """Midnight of the city's day; None when none was entered."""
    if not text.strip():
        return None
    day: date | None
    try:
        day = datetime.fromisoformat(text.strip()).date()
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        problems.append(Problem(name, N_("Enter a day such as 2026-12-31.")))
        return None
    return datetime.combine(day, time(), tzinfo=CITY_TIME)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
