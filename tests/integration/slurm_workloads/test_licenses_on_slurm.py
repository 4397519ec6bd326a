"""Licences that others use outside are kept from jobs on a real Slurm cluster, also from those of sbatch."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hpc_portal.app.jobs.submit import SubmitRequest
from hpc_portal.app.licenses.poll import PollLicensesStep
from hpc_portal.app.licenses.set_aside import SetAsideLicensesStep
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.settings import LicenseServerSettings
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.outside_licenses import OutsideLicenses
from schedulers.slurm.set_aside_licenses import ReservedLicenses
from tests.integration.slurm_workloads.conftest import Live

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

LMSTAT = """
Users of vcs:  (Total of 4 licenses issued;  Total of {outside} licenses in use)

    tuan ws-12 ws-12 (v1) (lic01/27020 13), start Mon 1/5 9:20, {outside} licenses
"""
NOBODY = "\nUsers of vcs:  (Total of 4 licenses issued;  Total of 0 licenses in use)\n"


class Site:
    """A licence server that answers from a file, and the portal's two steps that follow it."""

    def __init__(self, live: Live, folder: Path, cluster: OutsideLicenses) -> None:
        self._live = live
        self._answer = folder / "answer"
        program = folder / "lmstat.py"
        program.write_text(f"print(open({str(self._answer)!r}).read())\n")
        server = LicenseServerSettings(address="27020@lic01", command=[sys.executable, str(program)])
        context = live.context
        self._poll = PollLicensesStep(context.engine, context.clock, [server])
        self._set_aside = SetAsideLicensesStep(context, cluster)

    async def used_outside(self, count: int) -> None:
        self._answer.write_text(LMSTAT.format(outside=count) if count else NOBODY)
        await self._poll()
        await self._set_aside()

    def wanting(self, count: int, command: str) -> SubmitRequest:
        resources = ResourceRequest(licenses={"vcs": count}, memory_mib_per_node=64, walltime_seconds=600)
        spec = JobSpec(name="sim", argv=("/bin/sh", "-c", command), resources=resources)
        return SubmitRequest(project=self._live.account, spec=spec)


@pytest.fixture
async def site(live: Live, tmp_path: Path) -> AsyncIterator[Site]:
    scontrol = live.slurm.command_inside("scontrol", user="slurm")
    made = Site(live, tmp_path, ReservedLicenses(scontrol))
    yield made
    await made.used_outside(0)


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


async def test_when_nobody_outside_has_any_nothing_is_kept(live: Live, site: Site) -> None:
    await site.used_outside(9)
    job_id = await live.submit_request(site.wanting(4, "true"))
    await live.until(lambda: live.job(job_id).state_reason == "Licenses", "the job to wait")
    await site.used_outside(0)
    await live.until_settled(job_id)
    assert "hpc-portal" not in live.slurm.run("scontrol", "show", "reservation")


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
    broken = Site(live, tmp_path, ReservedLicenses(command, timeout_seconds=1))
    with pytest.raises(SchedulerUnavailable, match=words):
        await broken.used_outside(2)
