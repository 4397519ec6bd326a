"""`hpc-portal demo`: a small city, two real jobs, and a portal to look around in."""

import contextlib
import os
import signal
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.app import demo as city
from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_services
from hpc_portal.cli import render
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.demo_jobs import WatchedJob, log_tail, sign_in, submissions, submit_job, summary, watch
from hpc_portal.cli.demo_portal import running_portal, wait_for_cluster
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.render import err, out

_UID_BASE = 60_000
"""Jobs of root's demo run as users that do not exist on the machine: one for each person."""
_LOOK_SECONDS = 1.0
_LICENSES = {"vcs": 4, "spectre": 2, "dc": 2}


def demo(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port, 0 takes a free one.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Folder for the demo's data.")] = None,
    *,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="End after the jobs, with 0 only if both completed.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the browser when there is a display.")] = True,
) -> None:
    """Seed a small city, run a simulation and a training through the portal, and keep it open.

    With a Slurm cluster in the settings they run there, and a small one runs beside them on Dask.

    Listens on this machine only: the passwords are printed. Run it again and it goes on with the same data.
    """
    settings = demo_settings(port=port, state_dir=state_dir)
    err.print(_("Preparing the small city in {folder} ...", folder=settings.state_dir))
    _seed(settings)
    with running_portal(settings) as url:
        jobs = _run_jobs(url, settings)
        out.print(summary(jobs))
        succeeded = all(watched.has_succeeded for watched in jobs)
        if not succeeded:
            _explain([watched for watched in jobs if not watched.has_succeeded])
        if not exit_after:
            _keep_open(url, open_browser=browser)
    if not succeeded:
        raise CliError(_("Not every job of the demo completed and was paid for."))
    err.print(_("All jobs completed and are paid for."))


def demo_settings(*, port: int | None, state_dir: Path | None) -> Settings:
    """The settings in force, safe for printed passwords: only this machine, jobs as users of their own."""
    settings = load_settings(host="127.0.0.1", port=port, state_dir=state_dir)
    changes: dict[str, object] = {}
    if not settings.licenses:
        changes["licenses"] = _LICENSES
    if os.geteuid() == 0 and not settings.cluster_uid_base:
        changes["cluster_uid_base"] = _UID_BASE
    return settings.model_copy(update=changes)


def _seed(settings: Settings) -> None:
    upgrade(settings)
    services = build_services(settings)
    try:
        city.seed_city(services)
    finally:
        services.commits.close()
        services.engine.dispose()


def _run_jobs(url: str, settings: Settings) -> list[WatchedJob]:
    wanted = submissions(settings)
    people = {name: sign_in(url, name) for name, _body in wanted}
    err.print(_("The portal is open at {url}; waiting for its cluster ...", url=url))
    wait_for_cluster(people[city.DESIGNER])
    jobs = [submit_job(people[name], body) for name, body in wanted]
    watch(jobs)
    return jobs


def _explain(failed: Sequence[WatchedJob]) -> None:
    for watched in failed:
        job = watched.job
        err.print(f"\n{job['name']}: {job['state']} {job['state_reason']} ({job['phase']})", markup=False)
        for line in log_tail(watched):
            err.print(f"  {line}", markup=False)


def _keep_open(url: str, *, open_browser: bool) -> None:
    """Until Ctrl-C or a SIGTERM."""
    rows = [
        (person.username, city.PASSWORD, person.name, _(person.role), person.project or person.organisation)
        for person in city.PEOPLE
    ]
    out.print(render.table((_("User name"), _("Password"), _("Name"), _("Role"), _("Where")), rows))
    out.print(_("Open {url} and sign in. Ctrl-C ends the demo.", url=url), soft_wrap=True)
    if open_browser and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(url)
    for number in (signal.SIGTERM, signal.SIGINT):  # which shells let background jobs ignore
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(_LOOK_SECONDS)  # pause() sleeps on after a signal that came just before it
