"""Licences that others use outside are kept from jobs on a real Slurm cluster, also from those of sbatch."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import delete

from hpc_portal.app.controller import run_controller
from hpc_portal.app.controller_wiring import build_controllers
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.submit import SubmitRequest
from hpc_portal.app.licenses.poll import PollLicensesStep
from hpc_portal.app.licenses.set_aside import SetAsideLicensesStep
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.settings import LicenseServerSettings, Settings
from hpc_portal.app.tables import Lease
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.slurm.set_aside_licenses import ReservedLicenses
from tests.integration.slurm_workloads.conftest import PATIENCE_SECONDS, Live

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

LMSTAT = """
Users of vcs:  (Total of 4 licenses issued;  Total of {outside} licenses in use)

    tuan ws-12 ws-12 (v1) (lic01/27020 13), start Mon 1/5 9:20, {outside} licenses
"""
NOBODY = "\nUsers of vcs:  (Total of 4 licenses issued;  Total of 0 licenses in use)\n"


class Site:
    """A licence server that answers from a file, and the portal's two steps that follow it."""

    def __init__(
        self, live: Live, folder: Path, scontrol: Sequence[str], timeout_seconds: float = 30
    ) -> None:
        self._live = live
        self._answer = folder / "answer"
        program = folder / "lmstat.py"
        program.write_text(f"print(open({str(self._answer)!r}).read())\n")
        self.scontrol = list(scontrol)
        self.server = LicenseServerSettings(address="27020@lic01", command=[sys.executable, str(program)])
        context, cluster = live.context, ReservedLicenses(scontrol, timeout_seconds=timeout_seconds)
        self._poll = PollLicensesStep(context.engine, context.clock, [self.server])
        self._set_aside = SetAsideLicensesStep(context, cluster)

    def answer(self, outside: int) -> None:
        """What the server says from now on."""
        new = self._answer.with_suffix(".new")
        new.write_text(LMSTAT.format(outside=outside) if outside else NOBODY)
        new.rename(self._answer)

    async def used_outside(self, count: int) -> None:
        """The server says so, and the portal has looked."""
        self.answer(count)
        await self._poll()
        await self._set_aside()

    def keeps_something(self) -> bool:
        return "hpc-portal-outside" in self._live.slurm.run("scontrol", "show", "reservation")

    def wanting(self, count: int, command: str) -> SubmitRequest:
        resources = ResourceRequest(licenses={"vcs": count}, memory_mib_per_node=64, walltime_seconds=600)
        spec = JobSpec(name="sim", argv=("/bin/sh", "-c", command), resources=resources)
        return SubmitRequest(project=self._live.account, spec=spec)


@pytest.fixture
async def site(live: Live, tmp_path: Path) -> AsyncIterator[Site]:
    scontrol = live.slurm.command_inside("scontrol", user="slurm")
    made = Site(live, tmp_path, scontrol)
    yield made
    await ReservedLicenses(scontrol).set_aside({})


async def test_jobs_wait_for_what_others_use_and_say_for_which_licence_and_who_has_it(
    live: Live, site: Site
) -> None:
    await site.used_outside(2)
    running = await live.submit_request(site.wanting(1, "until test -e go; do sleep 0.2; done"))
    await live.until(lambda: live.job(running).tasks_running == 1, "the first job to run")
    waiting = await live.submit_request(site.wanting(2, "true"))
    by_hand = live.slurm.run(
        "sbatch",
        *("--parsable", f"--account={live.account}", "--licenses=vcs:2", "--mem=64", "--output=/dev/null"),
        "--wrap=true",
        user="alice",
        cwd=live.slurm.workspace,
    ).strip()
    await live.until(lambda: live.job(waiting).state_reason == "Licenses", "the second job to wait")
    with live.city.services.engine.connect() as connection:
        (wait,) = licenses_waited_for(connection, live.city.chips.member, live.job(waiting))
    assert (wait.feature, wait.asked, wait.free, wait.outside) == ("vcs", 2, 1, 2)
    assert [(one.job_id, one.count) for one in wait.use.holders] == [(running, 1)]
    asked = ("--noheader", f"--jobs={by_hand}", "--format=%T %r")
    await live.until(
        lambda: live.slurm.run("squeue", *asked).split() == ["PENDING", "Licenses"],
        "the job of sbatch to wait, too",
    )
    snapshot = await live.context.scheduler.cluster()
    (vcs,) = [one for one in snapshot.licenses if one.feature == "vcs"]
    assert (vcs.total, vcs.used, vcs.outside) == (4, 3, 2)
    assert snapshot.reservations == (), "nobody could ask for it"
    await site.used_outside(1)
    await live.until_settled(waiting)
    (live.workspace(running) / "go").touch()
    await live.until_settled(running)


async def test_a_controller_as_settings_build_it_follows_the_server_by_itself(live: Live, site: Site) -> None:
    before = live.city.services.settings
    assert before.slurm
    settings = Settings(
        state_dir=before.state_dir,
        database_url=before.database_url,
        workspace_root=live.context.workspace_root,
        dask_enabled=False,
        license_servers=[site.server],
        license_interval_seconds=0.5,
        slurm=before.slurm.model_copy(update={"scontrol": site.scontrol}),
    )
    site.answer(9)
    transact(live.context.engine, lambda connection: connection.execute(delete(Lease)))
    (parts,) = build_controllers(settings)
    stop = asyncio.Event()
    controller = asyncio.create_task(run_controller(parts, stop))
    try:
        await until(site.keeps_something, "the reservation")
        job_id = await live.submit_request(site.wanting(4, "true"))
        await until(lambda: live.job(job_id).state_reason == "Licenses", "the job to wait")
        site.answer(0)
        await until(lambda: live.job(job_id).phase == "settled", "the job to be settled")
        assert live.job(job_id).state is JobState.COMPLETED
        assert not site.keeps_something()
    finally:
        stop.set()
        await controller
        parts.engine.dispose()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/no/such/scontrol",), "cannot be run"),
        (("/bin/sh", "-c", "echo Access/permission denied; exit 1"), "permission denied"),
        (("/bin/sh", "-c", "exec sleep 60"), "did not answer"),
    ],
)
async def test_a_cluster_that_cannot_be_told_is_told_later(
    live: Live, tmp_path: Path, command: tuple[str, ...], words: str
) -> None:
    broken = Site(live, tmp_path, command, timeout_seconds=1)
    with pytest.raises(SchedulerUnavailable, match=words):
        await broken.used_outside(2)
