"""A request for quota in the words of its pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hpc_portal.app.reports.budget_forecast import BudgetForecast
from hpc_portal.app.requests.amounts import as_units
from hpc_portal.app.requests.outlook import Outlook
from hpc_portal.app.requests.past_use import MonthOfUse
from hpc_portal.app.requests.queries import RequestedLine, RequestSummary
from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from hpc_portal.web.language import Language
from hpc_portal.web.show_cluster import Meter, meters_of
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.words import Word
from quotas.amounts import STORAGE
from quotas.balance import AssetBalance
from quotas.money import VND
from schedulers import tres
from schedulers.units import CITY_TIME
from workloads.template import N_

REQUEST_STATES: Mapping[RequestState, Word] = {
    RequestState.DRAFT: Word("file-text", N_("Draft"), "off"),
    RequestState.SUBMITTED: Word("clock", N_("Submitted"), "wait"),
    RequestState.UNDER_REVIEW: Word("eye", N_("Under review"), "run"),
    RequestState.RETURNED: Word("help-circle", N_("Question to answer"), "late"),
    RequestState.APPROVED: Word("circle-check", N_("Approved"), "good"),
    RequestState.PARTLY_APPROVED: Word("circle-check", N_("Partly approved"), "good"),
    RequestState.DENIED: Word("circle-x", N_("Denied"), "bad"),
    RequestState.WITHDRAWN: Word("ban", N_("Withdrawn"), "off"),
}
REQUEST_KINDS: Mapping[RequestKind, str] = {
    RequestKind.NEW: N_("New grant"),
    RequestKind.RENEW: N_("Renewal"),
    RequestKind.EXTEND: N_("Longer period"),
    RequestKind.INCREASE: N_("Increase"),
    RequestKind.SURGE: N_("Surge grant"),
}
KIND_HINTS: Mapping[RequestKind, str] = {
    RequestKind.NEW: N_("A budget of its own for a period."),
    RequestKind.RENEW: N_("Another budget, from the day on which the present one ends."),
    RequestKind.EXTEND: N_("More time for what is left of the present budget; ask for no resources."),
    RequestKind.INCREASE: N_("More resources in the present budget, until its end; the days are its own."),
    RequestKind.SURGE: N_("For a few weeks beside the usual budget, such as before a tape-out."),
}
DEEDS: Mapping[Deed, Word] = {
    Deed.DRAFT: Word("file-text", N_("Drafted"), "off"),
    Deed.EDIT: Word("adjustments", N_("Changed"), "off"),
    Deed.ATTACH: Word("plus", N_("File attached"), "off"),
    Deed.DETACH: Word("trash", N_("File removed"), "off"),
    Deed.SUBMIT: Word("clock", N_("Submitted"), "wait"),
    Deed.WITHDRAW: Word("ban", N_("Withdrawn"), "off"),
    Deed.START_REVIEW: Word("eye", N_("Review started"), "run"),
    Deed.RETURN: Word("help-circle", N_("Returned with a question"), "late"),
    Deed.APPROVE: Word("circle-check", N_("Approved"), "good"),
    Deed.APPROVE_PARTLY: Word("circle-check", N_("Partly approved"), "good"),
    Deed.DENY: Word("circle-x", N_("Denied"), "bad"),
}


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One resource that is asked for."""

    asset: str
    label: str
    asked: str
    granted: str
    """ "" until it is decided."""
    reason: str
    number: str
    """The asked amount as the decision form takes it."""
    unit: str


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request in a list."""

    id: str
    account: str
    project_name: str
    organisation: str
    kind: str
    state: Word
    lines: str
    from_day: str
    last_day: str
    requested_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OutlookRow:
    """What a reviewer should know of one resource."""

    label: str
    asked: str
    capacity: str
    promised: str
    left: str
    is_short: bool


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """What the project and its organisation have of one resource."""

    label: str
    granted: str
    used: str
    available: str
    ends: str
    """When the project's runs out, at today's pace."""
    whole_used: str
    whole_available: str


@dataclass(frozen=True, slots=True)
class MonthRow:
    """What was used in a month."""

    month: str
    gpu: str
    cpu: str
    vnd: str
    whole_gpu: str
    whole_vnd: str


@dataclass(frozen=True, slots=True)
class ShownOutlook:
    """Beside a request, for its reviewers."""

    rows: tuple[OutlookRow, ...]
    holdings: tuple[HoldingRow, ...]
    months: tuple[MonthRow, ...]
    meters: tuple[Meter, ...]
    availability_percent: int
    list_price: str


def show_unit(asset: str, language: Language) -> str:
    """What a number in a form counts."""
    if asset == VND:
        return "₫"
    if asset == STORAGE:
        return "GiB"
    return "GiB·h" if asset == tres.MEM else language.gettext(N_("hours"))


def show_lines(lines: tuple[RequestedLine, ...], language: Language) -> tuple[ShownLine, ...]:
    """Every resource of a request."""
    return tuple(
        ShownLine(
            asset=line.asset,
            label=asset_label(line.asset, language),
            asked=show_asset(line.asset, line.asked, language),
            granted="" if line.granted is None else show_asset(line.asset, line.granted, language),
            reason=line.reason,
            number=as_units(line.asset, line.asked),
            unit=show_unit(line.asset, language),
        )
        for line in lines
    )


def show_summary(request: RequestSummary, language: Language) -> ShownRequest:
    """One row of a list."""
    lines = [
        f"{asset_label(line.asset, language)}: {show_asset(line.asset, line.asked, language)}"
        for line in request.lines
    ]
    return ShownRequest(
        id=str(request.id),
        account=request.account,
        project_name=request.project_name,
        organisation=request.organisation_name,
        kind=REQUEST_KINDS[request.kind],
        state=REQUEST_STATES[request.state],
        lines=" · ".join(lines) or language.gettext(N_("More time")),
        from_day=language.day(request.valid_from),
        last_day=language.day(last_moment(request.valid_to)),
        requested_by=request.requested_by,
        at=request.submitted_at or request.created_at,
    )


def show_outlook(outlook: Outlook, language: Language) -> ShownOutlook:
    """The facts for a decision."""
    rows = []
    for line in outlook.lines:
        there = line.promisable
        rows.append(
            OutlookRow(
                label=asset_label(line.asset, language),
                asked=show_asset(line.asset, line.asked, language),
                capacity=show_asset(line.asset, there.capacity, language) if there else "–",  # noqa: RUF001 - a dash
                promised=show_asset(line.asset, there.promised, language) if there else "–",  # noqa: RUF001 - a dash
                left=show_asset(line.asset, there.left, language) if there else "–",  # noqa: RUF001 - a dash
                is_short=there is not None and there.left < line.asked,
            )
        )
    price = outlook.list_price_vnd
    return ShownOutlook(
        rows=tuple(rows),
        holdings=_holdings(outlook, language),
        months=tuple(_month(one, language) for one in outlook.months),
        meters=meters_of(tuple(node for one in outlook.clusters for node in one.nodes), language),
        availability_percent=outlook.availability_percent,
        list_price=language.vnd(price) if price is not None else "",
    )


def last_moment(valid_to: datetime) -> datetime:
    """A moment of the last day of a period that ends here."""
    return valid_to - timedelta(microseconds=1)


def as_field_day(at: datetime | None) -> str:
    """For a field of the kind "date": the city's day."""
    return at.astimezone(CITY_TIME).date().isoformat() if at else ""


def _holdings(outlook: Outlook, language: Language) -> tuple[HoldingRow, ...]:
    assets = sorted(outlook.organisation, key=lambda asset: (asset != VND, asset))
    ends = {one.asset: _ends(one, language) for one in outlook.forecasts}
    found = []
    for asset in assets:
        own, whole = outlook.project.get(asset, AssetBalance()), outlook.organisation[asset]
        found.append(
            HoldingRow(
                label=asset_label(asset, language),
                granted=show_asset(asset, own.granted, language),
                used=show_asset(asset, own.consumed, language),
                available=show_asset(asset, own.available, language),
                ends=ends.get(asset, ""),
                whole_used=show_asset(asset, whole.consumed, language),
                whole_available=show_asset(asset, whole.available, language),
            )
        )
    return tuple(found)


def _ends(one: BudgetForecast, language: Language) -> str:
    ahead = one.forecast
    if ahead is None:
        return language.gettext(N_("too little history"))
    if ahead.exhausted_on is None:
        return language.gettext(N_("lasts until %(day)s"), day=_day(one.last_day, language))
    return language.gettext(
        N_("used up %(day)s (%(first)s to %(last)s)"),
        day=_day(ahead.exhausted_on, language),
        first=_day(ahead.earliest_on or ahead.exhausted_on, language),
        last=_day(ahead.latest_on or one.last_day, language),
    )


def _month(one: MonthOfUse, language: Language) -> MonthRow:
    def hours(seconds: int) -> str:
        return language.resource_hours(tres.CPU, seconds)

    return MonthRow(
        month=one.month.strftime("%m/%Y"),
        gpu=hours(one.project.gpu_seconds),
        cpu=hours(one.project.cpu_seconds),
        vnd=language.vnd(one.project.vnd),
        whole_gpu=hours(one.organisation.gpu_seconds),
        whole_vnd=language.vnd(one.organisation.vnd),
    )


def _day(day: date, language: Language) -> str:
    return day.strftime(language.date_format)
