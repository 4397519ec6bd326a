"""The client says the same of a cluster in every API version: recordings of a real slurmrestd are replayed.

They are of two releases of Slurm, 24.11 and 26.05; see scripts/record_slurm_wire.py.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schedulers.slurm import versions
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.errors import SlurmRefused, TokenRefused
from schedulers.slurm.tokens import ProxyToken
from schedulers.slurm.wire import Unlimited
from schedulers.slurm.wire_accounting import WireTres
from tests.small_slurmrestd import Asked, Reply, small_slurmrestd

pytestmark = pytest.mark.anyio

RECORDINGS = Path(__file__).parent / "slurm_wire"
FOLDERS = sorted(RECORDINGS.glob("*/v0.0.*"), key=lambda folder: folder.name)
NO_SUCH_URL = Reply("Unable find requested URL. Please view /openapi/v3 for API reference.", 404)
STARTED_AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""Of the recording; see EPOCH in scripts/record_slurm_wire.py."""
Exchange = dict[str, Any]


class Recording:
    """Answers each request as slurmrestd answered it when the recording was made."""

    def __init__(self, folder: Path) -> None:
        self.number = int(folder.name.rpartition(".")[2])
        self.release = folder.parent.name
        self.exchanges = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}

    def __call__(self, asked: Asked) -> Reply:
        for exchange in self.exchanges.values():
            if self._is_it(exchange["request"], asked):
                return Reply(exchange["reply"], exchange["status"])
        return NO_SUCH_URL

    def _is_it(self, request: Exchange, asked: Asked) -> bool:
        return (request["method"], request["path"], request["query"], request["user"], request["body"]) == (
            asked.method,
            asked.path,
            dict(asked.query),
            asked.headers["x-slurm-user-name"],
            asked.body,
        )

    def job(self, name: str) -> dict[str, Any]:
        """The job object that was sent."""
        job: dict[str, Any] = self.exchanges[name]["request"]["body"]["job"]
        return job

    def job_id(self, name: str) -> str:
        """The number of a job in the recording."""
        path: str = self.exchanges[f"job_{name}"]["request"]["path"]
        return path.rpartition("/")[2]


@cache
def recording_in(folder: Path) -> Recording:
    return Recording(folder)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def recording(request: pytest.FixtureRequest) -> Recording:
    return recording_in(request.param)


@pytest.fixture
async def client(recording: Recording, tmp_path: Path) -> AsyncIterator[SlurmClient]:
    (tmp_path / "token").write_text("a.b.c")
    async with small_slurmrestd(recording) as server:
        client = SlurmClient(server.url, ProxyToken(tmp_path / "token"), polling_user="hpcportal")
        yield client
        await client.close()


def amounts(tres: tuple[WireTres, ...]) -> dict[str, int]:
    return {f"{one.type}/{one.name}".rstrip("/"): one.count for one in tres}


def test_every_known_version_is_recorded() -> None:
    assert [folder.name for folder in FOLDERS] == [
        versions.api_name(number) for number in range(versions.OLDEST, versions.NEWEST + 1)
    ]


def test_no_recording_holds_a_token_or_a_path_of_the_machine_it_was_made_on() -> None:
    for path in RECORDINGS.rglob("*.json"):
        text = path.read_text()
        assert "eyJ" not in text, path
        assert "hpc-slurm" not in text, path


async def test_the_newest_version_that_slurmrestd_speaks_is_found(
    client: SlurmClient, recording: Recording
) -> None:
    version = await client.ping()
    assert (version.release, version.cluster) == (recording.release, "danang")
    assert (version.api, version.is_known) == (versions.api_name(recording.number), True)


async def test_the_light_call_names_tasks_by_their_array(client: SlurmClient) -> None:
    states = {entry.job_id: entry.state for entry in await client.states()}
    assert states == {
        "1": ("COMPLETED",),
        "2": ("FAILED",),
        "3": ("FAILED",),
        "4": ("COMPLETED",),
        **{f"5_{task}": ("RUNNING",) for task in (0, 1)},
        **{f"5_{task}": ("PENDING",) for task in (2, 3, 4, 5)},
        "8": ("PENDING",),
    }


async def test_details_of_a_job_mean_the_same(client: SlurmClient, recording: Recording) -> None:
    (job,) = await client.job(recording.job_id("completed"))
    assert (job.user_name, job.account, job.partition, job.qos) == ("alice", "chips", "gpu", "normal")
    assert (job.job_state, job.exit_code.return_code, job.nodes) == (("COMPLETED",), 0, "gpu01")
    assert job.comment == "hpc-portal:0190a5f0-0000-7000-8000-000000000001"
    assert job.time_limit == 5
    assert job.licenses_allocated == "vcs:1"
    assert "gres/gpu:h100=2" in job.tres_alloc_str
    assert (job.stdout_expanded, job.array_job_id) == ("/workspace/slurm-1.out", None)
    assert job.start_time is not None
    assert job.end_time is not None
    assert STARTED_AT <= job.start_time <= job.end_time


async def test_exit_codes_and_signals_mean_the_same(client: SlurmClient, recording: Recording) -> None:
    (failed,) = await client.job(recording.job_id("failed"))
    (killed,) = await client.job(recording.job_id("killed"))
    assert (failed.exit_code.return_code, failed.exit_code.signal_id) == (3, None)
    assert (killed.exit_code.return_code, killed.exit_code.signal_id) == (None, 15)


async def test_an_array_is_its_started_tasks_and_the_rest(client: SlurmClient, recording: Recording) -> None:
    records = await client.job(recording.job_id("array"))
    assert {job.array_job_id for job in records} == {5}
    rest, *started = sorted(records, key=lambda job: job.job_id)
    assert (rest.array_task_id, rest.array_task_string, rest.job_state) == (None, "2-5%2", ("PENDING",))
    assert rest.state_reason == "JobArrayTaskLimit"
    assert [(job.array_task_id, job.job_state) for job in started] == [(0, ("RUNNING",)), (1, ("RUNNING",))]
    assert [job.gres_detail for job in started] == [("gpu:l40s:1(IDX:4)",), ("gpu:l40s:1(IDX:5)",)]


async def test_a_held_job_and_a_requeued_one_mean_the_same(client: SlurmClient, recording: Recording) -> None:
    (held,) = await client.job(recording.job_id("held"))
    (requeued,) = await client.job(recording.job_id("requeued"))
    assert (held.hold, held.state_reason, held.priority, held.start_time) == (True, "JobHeldUser", 0, None)
    assert (requeued.restart_cnt, requeued.job_state) == (1, ("COMPLETED",))


async def test_a_job_that_slurmctld_does_not_know_is_no_error(client: SlurmClient) -> None:
    assert await client.job("999999") == []


async def test_all_jobs_at_once_are_the_same_jobs(client: SlurmClient, recording: Recording) -> None:
    jobs = {job.job_id: job for job in await client.jobs()}
    assert set(jobs) == {1, 2, 3, 4, 5, 6, 7, 8}
    assert [jobs[1]] == await client.job(recording.job_id("completed"))


async def test_the_cluster_means_the_same(client: SlurmClient, recording: Recording) -> None:
    nodes = {node.name: node for node in await client.nodes()}
    assert list(nodes) == ["eda01", "eda02", "gpu01", "gpu02"]
    gpu = nodes["gpu02"]
    assert (gpu.cpus, gpu.real_memory, gpu.gres) == (64, 512_000, "gpu:h100:4,gpu:l40s:4")
    assert gpu.gres_used == "gpu:h100:0(IDX:N/A),gpu:l40s:2(IDX:4-5)"
    assert (gpu.state, gpu.alloc_cpus, gpu.reason_changed_at) == (("MIXED",), 2, None)
    partitions = {partition.name: partition for partition in await client.partitions()}
    assert partitions["gpu"].nodes.configured == "gpu[01-02]"
    assert (partitions["gpu"].maximums.time, partitions["gpu"].maximums.nodes) == (2880, Unlimited.UNLIMITED)
    tells = recording.number >= 45
    assert partitions["short"].is_default is (True if tells else None)
    assert partitions["gpu"].is_default is (False if tells else None)
    licenses = {one.name: (one.total, one.used) for one in await client.licenses()}
    assert licenses == {"vcs": (4, 0), "primetime": (2, 0)}
    (upkeep,) = await client.reservations()
    assert (upkeep.name, upkeep.node_list, upkeep.users) == ("upkeep", "eda02", "root")
    assert "MAINT" in upkeep.flags


async def test_accounting_has_each_requeue_as_a_run_of_its_own(
    client: SlurmClient, recording: Recording
) -> None:
    window = recording.exchanges["accounting"]["request"]["query"]
    start, end = (
        datetime.fromtimestamp(int(window[f"{bound}_time"].removeprefix("uts")), UTC)
        for bound in ("start", "end")
    )
    runs = await client.accounting(start=start, end=end)
    first, second = (run for run in runs if run.job_id == 4)
    of_the_first = ("PENDING", "REQUEUED") if recording.release.startswith("24.") else ("COMPLETED",)
    assert (first.state.current, second.state.current) == (of_the_first, ("COMPLETED",))
    tells = recording.number >= 42
    assert (first.restart_cnt, second.restart_cnt) == (0, 1 if tells else 0)
    (gpu_run,) = (run for run in runs if run.job_id == 1)
    assert amounts(gpu_run.tres.allocated) == {
        "cpu": 1,
        "mem": 1024,
        "node": 1,
        "billing": 1,
        "gres/gpu": 2,
        "gres/gpu:h100": 2,
        "license/vcs": 1,
    }
    assert (gpu_run.user, gpu_run.account, gpu_run.cluster, gpu_run.nodes) == (
        "alice",
        "chips",
        "danang",
        "gpu01",
    )
    assert gpu_run.comment == "hpc-portal:0190a5f0-0000-7000-8000-000000000001"
    assert gpu_run.time.end is not None
    assert [step.id for step in gpu_run.steps] == ["1.batch"]
    (task,) = (run for run in runs if run.array.job_id == 5 and run.array.task_id == 1)
    assert (task.job_id, task.state.current, task.time.end) == (7, ("RUNNING",), None)


async def test_limits_mean_the_same(client: SlurmClient, recording: Recording) -> None:
    (qos,) = (one for one in await client.qos() if one.name == "wire")
    assert (set(qos.flags), qos.description) == ({"DENY_LIMIT", "NO_DECAY"}, "wire")
    assert amounts(qos.grp_tres) == {"cpu": 13}
    assert amounts(qos.max_tres_per_user) == {"cpu": 15}
    assert (qos.max_wall_minutes_per_job, qos.grp_jobs, qos.max_jobs_per_user) == (31, 21, 23)
    assert qos.max_submit_jobs_per_user == 24
    tells = recording.number >= 42
    assert amounts(qos.grp_tres_minutes) == ({"cpu": 600, "gres/gpu": 120} if tells else {})
    assert qos.grp_submit_jobs == (22 if tells else None)
    associations = {(one.account, one.user): one for one in await client.associations()}
    bob = associations["chips", "bob"]
    assert (amounts(bob.grp_tres_minutes), bob.cluster, bob.qos) == ({"cpu": 77}, "danang", ("normal",))
    assert (bob.grp_jobs, bob.max_submit_jobs) == (Unlimited.UNLIMITED, Unlimited.UNLIMITED)
    assert associations["chips", ""].parent_account == "root"
    assert {"chips", "lab", "root"} <= {account.name for account in await client.accounts()}
    assert {"alice", "bob", "hpcportal"} <= {user.name for user in await client.users()}
    assert {"cpu", "mem", "gres/gpu:h100", "license/vcs"} <= amounts(tuple(await client.tres())).keys()


async def test_a_submit_gives_the_job_id(client: SlurmClient, recording: Recording) -> None:
    submitted = await client.submit(recording.job("submit"), user="alice")
    assert submitted.job_id == recording.exchanges["submit"]["reply"]["job_id"]
    assert submitted.warnings == ()


async def test_a_warning_that_the_job_is_held_is_no_failure(
    client: SlurmClient, recording: Recording
) -> None:
    submitted = await client.submit(recording.job("submit_held"), user="alice")
    assert submitted.job_id > 0
    assert any("held state" in warning for warning in submitted.warnings)


async def test_a_no_is_a_no_in_slurms_own_words(client: SlurmClient, recording: Recording) -> None:
    with pytest.raises(SlurmRefused, match="Invalid partition name specified") as caught:
        await client.submit(recording.job("submit_refused"), user="alice")
    assert caught.value.numbers == {2000}


async def test_a_field_that_slurm_ignores_is_warned_of(client: SlurmClient, recording: Recording) -> None:
    submitted = await client.submit(recording.job("submit_unknown_field"), user="alice")
    assert any("no_such_field" in warning for warning in submitted.warnings)


async def test_a_token_of_another_user_is_the_sites_business_not_the_jobs(
    client: SlurmClient, recording: Recording
) -> None:
    with pytest.raises(TokenRefused, match="'bob'"):
        await client.submit(recording.job("submit_with_token_of_another"), user="bob")


async def test_a_change_is_made_or_refused(client: SlurmClient, recording: Recording) -> None:
    held = recording.job_id("held")
    await client.update(held, {"nice": 7}, user="alice")
    with pytest.raises(SlurmRefused):
        await client.update(held, {"nice": 8}, user="bob")


async def test_cancelling_minds_neither_ended_nor_unknown_jobs_but_says_what_is_forbidden(
    client: SlurmClient, recording: Recording
) -> None:
    completed, held = recording.job_id("completed"), recording.job_id("held")
    await client.cancel([f"{recording.job_id('array')}_5"], user="alice")
    with pytest.raises(SlurmRefused) as caught:
        await client.cancel([completed, "999999", held], user="bob")
    assert held in caught.value.reason
    assert "permission denied" in caught.value.reason
    assert "999999" not in caught.value.reason


async def test_a_qos_is_written_by_the_administrator_only(client: SlurmClient, recording: Recording) -> None:
    qos = recording.exchanges["put_qos"]["request"]["body"]["qos"]
    await client.put_qos(qos, user="slurm")
    with pytest.raises(SlurmRefused, match="permission denied"):
        await client.put_qos(qos, user="alice")
