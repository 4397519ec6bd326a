"""`hpc-portal allocation`: change grants that stand, and see what became of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import typer
from pydantic import TypeAdapter

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.budgets import change_allocation as change
from hpc_portal.app.budgets.allocations import (
    AllocationEventSeen,
    AllocationSeen,
    allocation_events,
    get_allocation,
    list_allocations,
)
from hpc_portal.cli.accounts import budget_lines, operator_services
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from hpc_portal.cli.request import parse_assignment
from quotas.amounts import format_amount
from quotas.tables import HoldPolicy
from schedulers.units import CITY_TIME

allocation = typer.Typer(no_args_is_help=True, help="Budgets that were granted: change and end them.")

_SEEN = TypeAdapter(list[AllocationSeen])
_EVENTS = TypeAdapter(list[AllocationEventSeen])
Id = Annotated[UUID, typer.Argument(metavar="ID", help="As `allocation list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; told to the project, and kept for good.")]
Money = Annotated[int, typer.Option("--vnd", min=0, help="Whole đồng.")]
Hours = Annotated[
    list[str] | None,
    typer.Option(
        "--hours",
        metavar="TRES=N",
        help="Such as gres/gpu:h100=500, cpu=10000, license/vcs=80; storage=500 are GiB.",
    ),
]
Key = Annotated[str, typer.Option("--key", help="The same key does it once; default: a new one.")]


@allocation.command("list")
def list_(
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """List allocations, the one that ends first in front."""
    with operator_services() as services, services.reading() as session:
        found = list_allocations(session, OPERATOR, project=project or None, ended=ended, limit=1000)
    if as_json:
        print_json(_SEEN.dump_python(found, mode="json"))
        return
    rows = []
    for one in found:
        name = (str(one.id), one.project, one.state.value, _day(one.valid_to))
        for line in one.lines:
            amounts = (line.available, line.held, line.consumed, line.expired)
            rows.append((*name, *(format_amount(line.asset, amount) for amount in amounts)))
            name = ("", "", "", "")
    headings = (
        *("ID", _("Project"), _("State"), _("Ends")),
        *(_("Left"), _("Held"), _("Used"), _("Expired")),
    )
    out.print(table(headings, rows, right=(4, 5, 6, 7)))


@allocation.command("show")
def show(allocation_id: Id, *, as_json: Json = False) -> None:
    """Show one allocation with its history."""
    with operator_services() as services, services.reading() as session:
        found = get_allocation(session, OPERATOR, allocation_id)
        events = allocation_events(session, OPERATOR, allocation_id)
    if as_json:
        print_json(
            {**_SEEN.dump_python([found], mode="json")[0], "events": _EVENTS.dump_python(events, mode="json")}
        )
        return
    period = f"{_day(found.valid_from)} - {_day(found.valid_to)}"
    out.print(f"{found.project}  {found.state}  {found.hold_policy}  {period}")
    rows = [
        (
            line.asset,
            *(format_amount(line.asset, n) for n in (line.available, line.held, line.consumed, line.expired)),
        )
        for line in found.lines
    ]
    out.print(table((_("Resource"), _("Left"), _("Held"), _("Used"), _("Expired")), rows, right=(1, 2, 3, 4)))
    history = [
        (_day(one.at), one.kind.value, one.was, one.became, one.by or "-", one.reason) for one in events
    ]
    if history:
        headings = (_("When"), _("What"), _("Was"), _("Became"), _("By"), _("Reason"))
        out.print(table(headings, history))


@allocation.command("increase")
def increase(
    allocation_id: Id, *, vnd: Money = 0, hours: Hours = None, reason: Reason, key: Key = ""
) -> None:
    """Grant more to it."""
    lines = _lines(vnd, hours)
    with operator_services() as services:
        done = change.increase_allocation(
            services, OPERATOR, allocation_id, lines, reason=reason, key=key or str(uuid4())
        )
    _say(done=done)


@allocation.command("reduce")
def reduce(allocation_id: Id, *, vnd: Money = 0, hours: Hours = None, reason: Reason, key: Key = "") -> None:
    """Take back what nobody holds or used."""
    lines = _lines(vnd, hours)
    with operator_services() as services:
        done = change.reduce_allocation(
            services, OPERATOR, allocation_id, lines, reason=reason, key=key or str(uuid4())
        )
    _say(done=done)


@allocation.command("extend")
def extend(
    allocation_id: Id,
    *,
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="The last day, in city time.")],
    reason: Reason,
) -> None:
    """Let it end later."""
    with operator_services() as services:
        done = change.extend_allocation(services, OPERATOR, allocation_id, _after(until), reason=reason)
    _say(done=done)


@allocation.command("suspend")
def suspend(allocation_id: Id, *, reason: Reason) -> None:
    """Let it pay for no new job; jobs that hold a part of it run to their end."""
    with operator_services() as services:
        done = change.suspend_allocation(services, OPERATOR, allocation_id, reason=reason)
    _say(done=done)


@allocation.command("resume")
def resume(allocation_id: Id, *, reason: Reason) -> None:
    """Let it pay for new jobs again."""
    with operator_services() as services:
        done = change.resume_allocation(services, OPERATOR, allocation_id, reason=reason)
    _say(done=done)


@allocation.command("close")
def close(allocation_id: Id, *, reason: Reason) -> None:
    """End it for good; what is free expires, or goes back to where it was split from."""
    with operator_services() as services:
        done = change.close_allocation(services, OPERATOR, allocation_id, reason=reason)
    _say(done=done)


@allocation.command("hold-policy")
def hold_policy(
    allocation_id: Id,
    policy: Annotated[HoldPolicy, typer.Argument(help="Arrays in full, or only what runs at once.")],
    *,
    reason: Reason,
) -> None:
    """Say how arrays of new jobs are held."""
    with operator_services() as services:
        done = change.set_hold_policy(services, OPERATOR, allocation_id, policy, reason=reason)
    _say(done=done)


@allocation.command("carry-over")
def carry_over(  # noqa: PLR0913 - one argument for each option
    source: Id,
    target: Annotated[UUID, typer.Argument(metavar="TARGET", help="The one that renews it.")],
    *,
    vnd: Money = 0,
    hours: Hours = None,
    reason: Reason,
    key: Key = "",
) -> None:
    """Take what is left of it, expired or not, into another of the same project; all without amounts."""
    lines = _lines(vnd, hours) or None
    with operator_services() as services:
        done = change.carry_over_budget(
            services, OPERATOR, source, target, lines=lines, reason=reason, key=key or str(uuid4())
        )
    _say(done=done)


def _lines(vnd: int, hours: list[str] | None) -> Mapping[str, int]:
    return budget_lines(vnd=vnd, hours=dict(parse_assignment("--hours", item) for item in hours or ()))


def _after(day: str) -> datetime:
    """The first instant after a day of the city."""
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=CITY_TIME)
    except ValueError as error:
        raise UsageProblem(_("{text} is no day such as 2026-11-05.", text=day)) from error
    return (start + timedelta(days=1)).astimezone(UTC)


def _day(at: datetime) -> str:
    return f"{at.astimezone(CITY_TIME):%Y-%m-%d %H:%M}"


def _say(*, done: bool) -> None:
    err.print(_("Done.") if done else _("It was so already; nothing changed."))
