"""Compare a Slurm cluster's accounts and budgets with the portal's, and make them so."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from schedulers.errors import SchedulerError
from schedulers.mirror import Difference


@dataclass(frozen=True, slots=True)
class _Found:
    differences: Sequence[Difference]
    """As they were before anything was changed."""
    remaining: Sequence[Difference]
    refused: Sequence[str]


def mirror(
    *,
    apply: Annotated[
        bool,
        typer.Option("--apply/--check", help="Make the cluster so; or change nothing and say what differs."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare accounts, members and budgets in Slurm with the portal's.

    Exit code 1 when something is not as it should be afterwards. The controller does the same all the time
    where mirror_quotas is on.
    """
    configure_log()
    settings = load_settings()
    if settings.slurm is None:
        raise CliError(_("There is no Slurm cluster: HPC_PORTAL_SLURM__URL is not set."))
    try:
        found = asyncio.run(_compare(settings, settings.slurm, apply=apply))
    except SchedulerError as error:
        raise CliError(str(error)) from error
    if as_json:
        print_json(asdict(found))
    else:
        _tell(found, apply=apply)
    if found.remaining:
        raise typer.Exit(Exit.FAILED)


def _tell(found: _Found, *, apply: bool) -> None:
    if not found.differences:
        err.print(_("Slurm has everything as the portal wants it."))
        return
    rows = [(one.subject, one.field, one.wanted, one.found) for one in found.differences]
    out.print(table((_("What"), _("Field"), _("Wanted"), _("Found")), rows))
    for refusal in found.refused:
        err.print(refusal)
    if apply and not found.remaining:
        err.print(_("Made so."))


async def _compare(settings: Settings, slurm: SlurmSettings, *, apply: bool) -> _Found:
    from hpc_portal.app.controller_wiring import (  # noqa: PLC0415 - other commands start without Dask's weight
        slurm_client,
        slurm_mirror,
    )
    from hpc_portal.app.mirror.reconcile import (  # noqa: PLC0415 - as above
        look,
        reconcile,
        standing_differences,
    )
    from hpc_portal.app.wiring import build_engine  # noqa: PLC0415 - as above

    engine, client = build_engine(settings), slurm_client(slurm)
    try:
        there = slurm_mirror(slurm, client)
        wanted, seen = await look(engine, slurm.cluster_name, there, at=datetime.now(UTC))
        before = standing_differences(wanted, seen)
        if not apply:
            return _Found(before, before, ())
        done = await reconcile(there, wanted, seen)
        return _Found(before, standing_differences(wanted, await there.seen()), done.refused)
    finally:
        await client.close()
        engine.dispose()
