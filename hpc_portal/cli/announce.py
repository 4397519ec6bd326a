"""`hpc-portal announce`: what everybody, or one organisation, reads on top of every page."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import typer
from pydantic import TypeAdapter

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.announcements.announce import NewAnnouncement, announce, withdraw_announcement
from hpc_portal.app.announcements.read import ShownAnnouncement, list_announcements
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from schedulers.units import CITY_TIME

announcements = typer.Typer(
    no_args_is_help=True, help="What everybody, or one organisation, reads on top of every page."
)

_LIST = TypeAdapter(list[ShownAnnouncement])


@announcements.command("make")
def make(  # noqa: PLR0913 - one argument for each option
    *,
    vi: Annotated[str, typer.Option("--vi", help="The text in Vietnamese.")],
    en: Annotated[str, typer.Option("--en", help="The text in English.")],
    until: Annotated[
        str, typer.Option("--until", help="The end, in the city's time, such as '2026-12-06 06:00'.")
    ],
    since: Annotated[str, typer.Option("--from", help="The begin; default: now.")] = "",
    organisation: Annotated[str, typer.Option("--org", help="Only for this organisation.")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="It stands out, in front of all others.")] = False,
    key: Annotated[str, typer.Option(help="The same key never announces twice.")] = "",
) -> None:
    """Announce something until a time; its id is printed."""
    wanted = NewAnnouncement(
        text_vi=vi,
        text_en=en,
        starts_at=_instant(since) if since else None,
        ends_at=_instant(until),
        organisation=organisation,
        is_urgent=urgent,
    )
    with operator_services() as services:
        out.print(str(announce(services, OPERATOR, wanted, key=key or str(uuid4()))))
    err.print(_("Announced."))


@announcements.command("list")
def list_all(*, as_json: Json = False) -> None:
    """Coming, present and past ones, the newest in front."""
    with operator_services() as services, services.reading() as session:
        found = list_announcements(session, OPERATOR, at=services.clock.now())
    if as_json:
        print_json(_LIST.dump_python(list(found), mode="json"))
        return
    rows = [
        (
            str(one.id),
            one.organisation or _("everybody"),
            one.standing.value,
            f"{one.ends_at.astimezone(CITY_TIME):%Y-%m-%d %H:%M}",
            one.text(active()),
        )
        for one in found
    ]
    out.print(table((_("Id"), _("For"), _("State"), _("Until"), _("Text")), rows))


@announcements.command("withdraw")
def withdraw(announcement_id: UUID) -> None:
    """Take one back: nobody sees it any more."""
    with operator_services() as services:
        withdraw_announcement(services, OPERATOR, announcement_id)
    err.print(_("Done."))


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageProblem(_("{text} is no time such as 2026-12-06 06:00.", text=text)) from error
    return at if at.tzinfo else at.replace(tzinfo=CITY_TIME)
