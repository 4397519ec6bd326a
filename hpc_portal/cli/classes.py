"""A teacher's classes: a course's budget split over students until term end."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.tenants.read_students import read_students
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.quota_amounts import end_instant, read_amounts
from hpc_portal.cli.render import err, instant, out, print_json, table
from hpc_portal.cli.request import read_text
from quotas.amounts import format_amount

classes = typer.Typer(no_args_is_help=True, help="Classes: split a course's budget over students.")

Course = Annotated[str, typer.Argument(metavar="COURSE", help="The course's project.")]
ClassId = Annotated[str, typer.Argument(metavar="CLASS", help="Its id, as `hpc class list` shows it.")]
Seat = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The student's project.")]
Students = Annotated[
    Path,
    typer.Option("--students", help="File with one address or user name a line, or a CSV table; -: input."),
]
Each = Annotated[
    list[str] | None,
    typer.Option("--each", metavar="RESOURCE=N", help="For each student, such as VND=1000000."),
]
Amounts = Annotated[
    list[str], typer.Argument(metavar="RESOURCE=N...", help="Such as VND=1000000 or gres/gpu:h100=5.")
]
Key = Annotated[str, typer.Option("--key", help="The same key never does it twice; default: a new one.")]
JobsThen = Annotated[
    str, typer.Option("--jobs", help="keep what runs, cancel_waiting, or cancel_all of them.")
]


@classes.command("make")
def make(  # noqa: PLR0913 - one argument for each option
    course: Course,
    *,
    name: Annotated[str, typer.Option("--name", help="What it is called.")],
    students: Students,
    each: Each = None,
    until: Annotated[
        str, typer.Option("--until", help="Last day of the term, 2026-12-31; default: the budget's.")
    ] = "",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Give every student a small project with a part of the course's budget; invitations go out by e-mail.

    Without --each everything that is free is split equally.
    """
    body: dict[str, Any] = {"name": name, "students": _read(students), "each": read_amounts(each or ())}
    if until:
        body["ends_at"] = end_instant(until)
    with open_portal() as portal:
        made = portal.post(f"/projects/{course}/classes", body, idempotency_key=key or str(uuid4()))
    if as_json:
        print_json(made)
        return
    err.print(_("Class {id}: {count} students.", id=made["id"], count=len(made["seats"])))
    _show_seats(made["seats"])


@classes.command("list")
def list_classes(course: Course, *, as_json: Json = False) -> None:
    """Show the classes of a course, newest first."""
    with open_portal() as portal:
        found = portal.get(f"/projects/{course}/classes")["items"]
    if as_json:
        print_json(found)
        return
    columns = ("ID", _("Name"), _("Students"), _("Until"), _("Ended"))
    rows = [
        (one["id"], one["name"], one["students"], instant(one["ends_at"]), instant(one["ended_at"]))
        for one in found
    ]
    out.print(table(columns, rows, right=(2,)))


@classes.command("show")
def show(class_id: ClassId, *, as_json: Json = False) -> None:
    """Show each student with what is left of their part."""
    with open_portal() as portal:
        found = portal.get(f"/classes/{class_id}")
    if as_json:
        print_json(found)
        return
    columns = (_("Student"), _("Project"), _("State"), _("Granted"), _("Used"), _("Held"), _("Left"))
    rows: list[tuple[str, ...]] = []
    for seat in found["seats"]:
        who: tuple[str, ...] = (seat["username"] or seat["student"], seat["account"], seat["state"])
        for asset, part in sorted(seat["by_asset"].items()):
            rows.append((*who, *_shown(asset, part)))
            who = ("", "", "")
    out.print(table(columns, rows, right=(3, 4, 5, 6)))


@classes.command("add")
def add(class_id: ClassId, *, students: Students, each: Each = None) -> None:
    """Add students who come later; those who are there already are left as they are."""
    body = {"students": _read(students), "each": read_amounts(each or ())}
    with open_portal() as portal:
        _show_seats(portal.post(f"/classes/{class_id}/students", body)["items"])


@classes.command("give")
def give(class_id: ClassId, account: Seat, amounts: Amounts, key: Key = "") -> None:
    """Give a student more of the course's budget."""
    lines = read_amounts(amounts)
    with open_portal() as portal:
        portal.post(
            f"/classes/{class_id}/students/{account}/give",
            {"lines": lines},
            idempotency_key=key or str(uuid4()),
        )
    err.print(_("{name} has {lines} more now.", name=account, lines=_said(lines)))


@classes.command("take")
def take(
    class_id: ClassId,
    account: Seat,
    amounts: Annotated[
        list[str] | None, typer.Argument(metavar="[RESOURCE=N]...", help="Default: all that is free.")
    ] = None,
    key: Key = "",
) -> None:
    """Take free budget of a student back; what their jobs hold stays."""
    body = {"lines": read_amounts(amounts)} if amounts else {}
    with open_portal() as portal:
        moved = portal.post(
            f"/classes/{class_id}/students/{account}/take", body, idempotency_key=key or str(uuid4())
        )
    err.print(_("Back in the course: {lines}.", lines=_said(moved["lines"]) or _("nothing")))


@classes.command("remove")
def remove(class_id: ClassId, account: Seat, jobs: JobsThen = "keep") -> None:
    """Close a student's project and take back what is free."""
    with open_portal() as portal:
        portal.post(f"/classes/{class_id}/students/{account}/remove", {"jobs": jobs})
    err.print(_("{name} is closed.", name=account))


@classes.command("end")
def end(class_id: ClassId, jobs: JobsThen = "keep") -> None:
    """End a class before its time, for good; what is left goes back to the course."""
    with open_portal() as portal:
        over = portal.post(f"/classes/{class_id}/end", {"jobs": jobs})
    err.print(_("Back in the course: {lines}.", lines=_said(over["returned"]) or _("nothing")))


def _read(file: Path) -> list[dict[str, Any]]:
    text = sys.stdin.read() if str(file) == "-" else read_text(file)
    try:
        listed = read_students(text)
    except InvalidEntry as error:
        raise UsageProblem(error.problems[0].message) from error
    return [{"student": student, "lines": dict(lines)} for student, lines in listed]


def _show_seats(seats: list[dict[str, Any]]) -> None:
    for seat in seats:
        out.print(f"{seat['student']}  {seat['account']}  {seat['link']}".rstrip(), soft_wrap=True)


def _shown(asset: str, part: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(format_amount(asset, part[name]) for name in ("granted", "consumed", "held", "available"))


def _said(lines: Mapping[str, int]) -> str:
    return ", ".join(format_amount(asset, amount) for asset, amount in sorted(lines.items()))
