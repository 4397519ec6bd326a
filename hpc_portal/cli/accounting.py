"""`hpc-portal accounting`: close months, check the books, and work off what does not add up."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import SystemRandom
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from hpc_portal.app.accounting.check_books import BooksChecked, check_books, days_to_audit
from hpc_portal.app.accounting.check_step import note_books
from hpc_portal.app.accounting.months import ListedMonth, close_next_month, list_months
from hpc_portal.app.accounting.work_list import WorkItem, work_list
from hpc_portal.app.accounting.work_list import decide as decide_discrepancy
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from quotas.usage_tables import DiscrepancyState

accounting = typer.Typer(no_args_is_help=True, help="The books: months, checks, and what does not add up.")

_MONTHS = TypeAdapter(list[ListedMonth])
_CHECKED = TypeAdapter(BooksChecked)
_ITEMS = TypeAdapter(list[WorkItem])
Reason = Annotated[str, typer.Option("--reason", help="Why; kept for good.")]


@accounting.command("months")
def months(*, as_json: Json = False) -> None:
    """Every month of which there is anything, and whether it is closed."""
    with operator_services() as services, services.reading() as session:
        found = list_months(session, OPERATOR, now=services.clock.now())
    if as_json:
        print_json(_MONTHS.dump_python(found, mode="json"))
        return
    rows = [
        (
            f"{one.month:%Y-%m}",
            _("closed") if one.is_closed else _("to be closed next") if one.is_next else _("open"),
            one.unsettled or "",
            one.sha256 or "",
        )
        for one in found
    ]
    headings = (_("Month"), _("State"), _("Not settled"), "SHA-256")
    out.print(table(headings, rows, right=(2,)))


@accounting.command("close")
def close(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month.")], *, reason: Reason = ""
) -> None:
    """Close a month for good: its statements are stored, later facts of it go to the next one.

    A reason is needed only while ended runs of it are not settled.
    """
    with operator_services() as services:
        closed = close_next_month(services, OPERATOR, month=_month(month), reason=reason)
    err.print(_("{month} is closed. Note the hash of its statements elsewhere:", month=month))
    out.print(closed.sha256)


@accounting.command("verify")
def verify(
    *,
    day: Annotated[
        str, typer.Option("--day", metavar="YYYY-MM-DD", help="Make the roll-ups of this day anew.")
    ] = "",
    days: Annotated[int, typer.Option("--days", min=0, max=400, help="And of so many days before.")] = 0,
    as_json: Json = False,
) -> None:
    """Check the ledger, closed months and days of the roll-ups. Exit code 1 when something is wrong.

    Without --day, yesterday and two other days are taken, as each night. What is found goes on the work list.
    """
    with operator_services() as services:
        now = services.clock.now()
        with services.engine.connect() as connection:
            chosen = _days(day, days) or days_to_audit(connection, now=now, lot=SystemRandom())
        checked = check_books(services.engine, days=chosen)
        transact(services.engine, lambda connection: note_books(connection, checked, at=now))
    if as_json:
        print_json(_CHECKED.dump_python(checked, mode="json"))
    elif checked.findings:
        rows = [(one.kind.value, one.key, _said(one.facts)) for one in checked.findings]
        out.print(table((_("Kind"), _("About"), _("Facts")), rows))
    else:
        shown = ", ".join(str(one) for one in checked.days) or "-"
        err.print(_("The books are right. Days made anew: {days}", days=shown))
    if checked.findings:
        raise typer.Exit(Exit.FAILED)


@accounting.command("list")
def list_work(
    *,
    every: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    as_json: Json = False,
) -> None:
    """What does not add up and waits for somebody, the newest first."""
    with operator_services() as services, services.reading() as session:
        found = work_list(session, OPERATOR, state=None if every else DiscrepancyState.OPEN, limit=1000)
    if as_json:
        print_json(_ITEMS.dump_python(found, mode="json"))
        return
    rows = [
        (item.found.id, item.found.kind.value, item.found.state.value, item.found.key, item.found.reason)
        for item in found
    ]
    headings = (_("No."), _("Kind"), _("State"), _("About"), _("Reason"))
    out.print(table(headings, rows, right=(0,)))


@accounting.command("explain")
def explain(number: int, *, reason: Reason) -> None:
    """Say why a discrepancy is right as it is."""
    with operator_services() as services:
        decide_discrepancy(services, OPERATOR, number, state=DiscrepancyState.EXPLAINED, reason=reason)


@accounting.command("resolve")
def resolve(number: int, *, reason: Reason) -> None:
    """Say how a discrepancy was put right; found again, it is open again."""
    with operator_services() as services:
        decide_discrepancy(services, OPERATOR, number, state=DiscrepancyState.RESOLVED, reason=reason)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise UsageProblem(_("{text} is no month such as 2026-11.", text=text)) from error


def _days(last: str, before: int) -> list[date]:
    if not last:
        return []
    try:
        day = date.fromisoformat(last)
    except ValueError as error:
        raise UsageProblem(_("{text} is no day such as 2026-11-05.", text=last)) from error
    return [day - timedelta(days=number) for number in range(before, -1, -1)]


def _said(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in facts.items())
