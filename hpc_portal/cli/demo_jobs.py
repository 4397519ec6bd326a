"""The demo's jobs, submitted as the people that they belong to, and watched side by side."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpc_portal.app import demo as city
from hpc_portal.app.settings import Settings
from hpc_portal.cli import render
from hpc_portal.cli.errors import CliError, Unreachable
from hpc_portal.cli.follow import Job, is_closed, tasks_ended
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import err
from hpc_portal.cli.results import series_end
from quotas.money import format_vnd

_REFRESH_SECONDS = 0.7
_GIVE_UP_SECONDS = 900
_TAIL_LINES = 20

_TRAINING = {
    "project": "dut-ai",
    "template": "pytorch-training",
    "parameters": {"name": "digits-training", "epochs": 25},
}
_REGRESSION = {
    "project": "songhan-fifo",
    "template": "rtl-regression",
    "parameters": {"name": "fifo-regression", "seeds": 4, "transactions": 100_000},
}
"""Of the FIFO without its planted bugs."""


@dataclass
class WatchedJob:
    """One job of the demo, and what was last seen of it."""

    portal: Portal
    """Signed in as the job's owner."""
    job: Job
    said: str = ""
    """The last line of its log."""
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def has_succeeded(self) -> bool:
        """Whether it completed and is paid for."""
        return bool(self.job["state"] == "COMPLETED" and self.job["phase"] == "settled")


def submissions(settings: Settings) -> list[tuple[str, Mapping[str, Any]]]:
    """Who runs what, in order of submission; the first two where jobs go by default."""
    wanted: list[tuple[str, Mapping[str, Any]]] = [(city.RESEARCHER, _TRAINING), (city.DESIGNER, _REGRESSION)]
    if settings.slurm and settings.dask_enabled:
        wanted.append((city.DESIGNER, _smoke_test(f"{settings.cluster_name}:")))
    return wanted


def _smoke_test(partition: str) -> Mapping[str, Any]:
    resources = {"cpus": 1, "memory_mib": 256, "walltime_seconds": 120, "partition": partition}
    one = {"name": "fifo-smoke", "tests": ["random"], "seeds": 1, "resources": resources}
    return {**_REGRESSION, "parameters": one}


def sign_in(url: str, username: str) -> Portal:
    """The portal as this person of the demo."""
    with Portal(url) as stranger:
        made = stranger.post(
            "/tokens/sign-in",
            {"username": username, "password": city.PASSWORD, "name": "demo", "valid_days": 1},
        )
    return Portal(url, made["token"])


def submit_job(portal: Portal, body: Mapping[str, Any]) -> WatchedJob:
    """Submit through the API, as anybody would."""
    job_id = portal.post("/jobs", body, idempotency_key=str(uuid.uuid4()))["id"]
    return WatchedJob(portal, portal.get(f"/jobs/{job_id}"))


def watch(jobs: Sequence[WatchedJob]) -> None:
    """Show all of them, live on a terminal and as lines elsewhere, until they are closed.

    Raises:
        Unreachable: they did not end within a quarter of an hour.
    """
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    shown: dict[str, str] = {}
    with Live(console=err, auto_refresh=False, transient=True) as live:
        while True:
            for watched in jobs:
                _look(watched)
                if not err.is_terminal:
                    _print_change(watched, shown)
            if err.is_terminal:
                live.update(_picture(jobs), refresh=True)
            if all(is_closed(watched.job) for watched in jobs):
                return
            if time.monotonic() > deadline:
                raise Unreachable(_("The jobs did not end in time."))
            time.sleep(_REFRESH_SECONDS)


def summary(jobs: Sequence[WatchedJob]) -> Table:
    """What became of them: state, elapsed, what was held, cost, and what is left."""
    several = len({watched.job["scheduler"] for watched in jobs}) > 1
    columns = (
        _("Job"),
        *((_("Cluster"),) if several else ()),
        _("State"),
        _("Tasks"),
        _("Elapsed"),
        _("Held"),
        _("Cost"),
        _("Balance"),
    )
    rows = [
        (
            watched.job["name"],
            *((watched.job["scheduler"],) if several else ()),
            render.state(watched.job["state"]),
            f"{watched.job['tasks_completed']}/{watched.job['tasks_total']}",
            render.elapsed(render.seconds_between(watched.job["started_at"], watched.job["ended_at"])),
            format_vnd(watched.job["estimated_vnd"]),
            format_vnd(watched.job["charged_vnd"]),
            format_vnd(_available_vnd(watched)),
        )
        for watched in jobs
    ]
    return render.table(columns, rows, right=range(len(columns) - 4, len(columns)))


def log_tail(watched: WatchedJob) -> list[str]:
    """The last lines of the log of a job that went wrong: of the first task that failed."""
    job_id = watched.job["id"]
    failed = watched.portal.get(
        f"/jobs/{job_id}/tasks", state=["FAILED", "TIMEOUT", "OUT_OF_MEMORY"], limit=1
    )
    task = failed["items"][0]["task_index"] if failed["items"] else None
    lines: list[str] = watched.portal.get(f"/jobs/{job_id}/log", task=task, limit=_TAIL_LINES)["lines"]
    return lines


def _look(watched: WatchedJob) -> None:
    job_id = watched.job["id"]
    watched.job = watched.portal.get(f"/jobs/{job_id}")
    if watched.job["state"] == "PENDING":
        return
    try:
        found = watched.portal.get(f"/jobs/{job_id}/results")
        newest = watched.portal.get(f"/jobs/{job_id}/tasks", limit=500)["items"]
        task = max((item["task_index"] for item in newest), default=None)
        lines = watched.portal.get(f"/jobs/{job_id}/log", task=task, limit=1)["lines"]
    except CliError:  # the picture can wait; the job's own state above cannot
        return
    watched.said = lines[-1] if lines else watched.said
    curves = [series_end(item) for item in found["series"] if item["points"]]
    watched.metrics = {item["name"]: item["value"] for item in [*found["metrics"], *curves]}


def _picture(jobs: Sequence[WatchedJob]) -> Group:
    grid = Table.grid(padding=(0, 2))
    for _column in range(5):
        grid.add_column()
    for watched in jobs:
        job = watched.job
        grid.add_row(
            Text(str(job["name"]), style="bold"),
            render.state(job["state"]),
            _bar(job),
            f"{tasks_ended(job)}/{job['tasks_total']}",
            _numbers(watched),
        )
    said = [
        Text(f"  {watched.job['name']}: {watched.said}", style="dim", overflow="ellipsis", no_wrap=True)
        for watched in jobs
    ]
    return Group(grid, *said)


def _bar(job: Job) -> ProgressBar:
    return ProgressBar(
        total=job["tasks_total"],
        completed=tasks_ended(job),
        width=24,
        complete_style="cyan",
        finished_style="green",
    )


def _numbers(watched: WatchedJob) -> str:
    """The few metrics that tell how it goes."""
    names = ("pass_rate", "epochs", "train_loss", "val_acc")
    return "  ".join(f"{name} {watched.metrics[name]:.4g}" for name in names if name in watched.metrics)


def _print_change(watched: WatchedJob, shown: dict[str, str]) -> None:
    job = watched.job
    line = (
        f"{job['name']:<16} {job['state']:<10} {tasks_ended(job)}/{job['tasks_total']}  {_numbers(watched)}"
    )
    if shown.get(job["id"]) != line:
        err.print(line.rstrip(), markup=False)
    shown[job["id"]] = line


def _available_vnd(watched: WatchedJob) -> int:
    balance = watched.portal.get(f"/projects/{watched.job['project']}/balance")["by_asset"]
    return int(balance["VND"]["available"])
