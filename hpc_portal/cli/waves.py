"""A waveform of a job at a terminal: what is in it, and the values of signals at one time."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hpc_portal.cli import render
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import out, print_json

Signals = Annotated[
    list[str] | None,
    typer.Argument(help="Full names, after dec:, sgn: or bin: where hex is not wanted; none: list them."),
]
At = Annotated[int, typer.Option("--at", min=0, help="The time, in the file's ticks.")]
Scope = Annotated[str, typer.Option("--scope", help="List what is in this scope.")]
Search = Annotated[str, typer.Option("--search", help="List signals whose names have these words.")]
_MOST_LISTED = 10_000


def waves(  # noqa: PLR0913 - each is an option
    job_id: JobId,
    path: Annotated[str, typer.Argument(help="The file, as the job's folder has it.")],
    signals: Signals = None,
    *,
    at: At = 0,
    scope: Scope = "",
    search: Search = "",
    as_json: Json = False,
) -> None:
    """List the signals of a waveform, or print their values at one time."""
    with open_portal() as portal:
        home = f"/jobs/{resolve_job(portal, job_id)}"
        show_waves(portal, home, path, signals or (), at=at, scope=scope, search=search, as_json=as_json)


def show_waves(  # noqa: PLR0913 - each is an option
    portal: Portal,
    home: str,
    path: str,
    signals: Sequence[str],
    *,
    at: int,
    scope: str,
    search: str,
    as_json: bool,
) -> None:
    """The same of a file below any address."""
    address = f"{home}/waves"
    if signals:
        found = portal.get(f"{address}/window", path=path, signals=signals, t0=at, px=1, at=at)["signals"]
    else:
        header = portal.get(address, path=path)
        listed = read_pages(
            portal, f"{address}/signals", most=_MOST_LISTED, path=path, scope=scope, search=search
        )
        found = {**header, "items": list(listed)}
    if as_json:
        print_json(found)
    elif signals:
        rows = [(one["label"], _value(one), _time(one["since"]), _time(one["until"])) for one in found]
        out.print(render.table((_("Signal"), _("Value"), _("Since"), _("Until")), rows, right=(1, 2, 3)))
    else:
        tick = f"{found['factor']} {found['unit']}".strip()
        out.print(
            _(
                "{format}, {count} signals, {end} ticks of {tick}",
                **{**found, "count": found["signals"], "tick": tick},
            )
        )
        entries = [
            (one["name"] + ("/" if one["is_scope"] else ""), one["kind"], one["width"] or "")
            for one in found["items"]
        ]
        out.print(render.table((_("Signal"), _("Kind"), _("Bits")), entries, right=(2,)))


def _value(signal: dict[str, str | None]) -> str:
    if not signal["kind"]:
        return _("not in this file")
    return signal["value"] or "-"


def _time(ticks: int | None) -> str:
    return "-" if ticks is None else str(ticks)
