"""`hpc licenses`: how many there are, who has them, and what others use."""

from collections.abc import Mapping
from typing import Any

from hpc_portal.cli import render
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json


def licenses(*, as_json: Json = False) -> None:
    """Show licences: how many there are, who has them, and what others use."""
    with open_portal() as portal:
        found = portal.get("/licenses")["items"]
    if as_json:
        print_json(found)
        return
    columns = (_("Licence"), _("Total"), _("In use"), _("Outside"), _("By others"), _("Held by"), _("As of"))
    rows = [
        (
            one["name"],
            str(one["total"]),
            str(one["in_use"]),
            str(one["outside"]),
            str(one["others"]),
            ", ".join(map(_holder, one["holders"])),
            one["problem"] or render.instant(one["as_of"]),
        )
        for one in found
    ]
    out.print(render.table(columns, rows, right=(1, 2, 3, 4)))


def _holder(one: Mapping[str, Any]) -> str:
    whose = f"{one['user']}@{one['project']}" if one["project"] else one["user"]
    return f"{whose} {one['count']}"
