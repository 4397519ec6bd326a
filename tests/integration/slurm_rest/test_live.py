"""The client against real daemons: what it is told, refused, and left in doubt about."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from schedulers.errors import SchedulerUnavailable, SubmitUncertain
from schedulers.slurm import versions
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.errors import SlurmRefused, TokenRefused
from schedulers.slurm.tokens import MintedTokens, ProxyToken, TokenFile, TokenSource
from schedulers.slurm.wire import SlurmJob
from scripts.slurm_cluster import daemons
from scripts.slurm_cluster.instance import Instance

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def tokens(slurm: Instance, tmp_path: Path) -> TokenSource:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    return MintedTokens(key)


@asynccontextmanager
async def client_of(
    url: str, tokens: TokenSource, *, polling_user: str = "hpcportal"
) -> AsyncIterator[SlurmClient]:
    client = SlurmClient(url, tokens, polling_user=polling_user)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(params=["tcp", "unix"])
async def client(
    request: pytest.FixtureRequest, slurm: Instance, tokens: TokenSource
) -> AsyncIterator[SlurmClient]:
    url = slurm.rest_url if request.param == "tcp" else f"unix://{slurm.rest_socket}"
    async with client_of(url, tokens) as client:
        yield client


@pytest.fixture
async def tcp_client(slurm: Instance, tokens: TokenSource) -> AsyncIterator[SlurmClient]:
    async with client_of(slurm.rest_url, tokens) as client:
        yield client


@pytest.fixture
def job(slurm: Instance) -> dict[str, object]:
    return job_in(slurm)


def job_in(slurm: Instance, script: str = "true", **fields: object) -> dict[str, object]:
    return {
        "name": "rest",
        "account": "chips",
        "partition": "short",
        "current_working_directory": str(slurm.workspace),
        "environment": ["PATH=/usr/bin:/bin"],
        "time_limit": {"set": True, "infinite": False, "number": 5},
        "script": f"#!/bin/sh\n{script}\n",
        "comment": f"hpc-portal:{uuid4()}",
        **fields,
    }


def output_of(job: SlurmJob) -> str:
    return Path(job.stdout_expanded).read_text()


async def wait_for(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await is_so():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s in vain: {what}"
        await asyncio.sleep(0.1)


async def states_of(client: SlurmClient, job_id: int) -> dict[str, str]:
    mine = (str(job_id), f"{job_id}_")
    return {
        entry.job_id: entry.state[0]
        for entry in await client.states()
        if entry.job_id == mine[0] or entry.job_id.startswith(mine[1])
    }


async def wait_for_state(client: SlurmClient, job_id: int, state: str) -> None:
    async def reached() -> bool:
        return set((await states_of(client, job_id)).values()) == {state}

    await wait_for(reached, f"job {job_id} is {state}")


async def test_a_job_runs_as_its_user_and_is_accounted(client: SlurmClient, slurm: Instance) -> None:
    started_at = datetime.now(UTC)
    submitted = await client.submit(job_in(slurm, "id -un; exit 3"), user="bob")
    await wait_for_state(client, submitted.job_id, "FAILED")
    (job,) = await client.job(str(submitted.job_id))
    assert (job.user_name, job.exit_code.return_code) == ("bob", 3)
    assert output_of(job) == "bob\n"

    async def accounted() -> bool:
        end = datetime.now(UTC) + timedelta(hours=1)
        runs = await client.accounting(
            start=started_at - timedelta(seconds=5), end=end, job_ids=[str(submitted.job_id)]
        )
        return [(run.user, run.exit_code.return_code, bool(run.steps)) for run in runs] == [("bob", 3, True)]

    await wait_for(accounted, "slurmdbd knows the end")


async def test_nothing_of_the_token_gets_into_a_jobs_environment(
    tcp_client: SlurmClient, slurm: Instance, tokens: TokenSource
) -> None:
    submitted = await tcp_client.submit(job_in(slurm, "env; cat $0"), user="alice")
    await wait_for_state(tcp_client, submitted.job_id, "COMPLETED")
    (job,) = await tcp_client.job(str(submitted.job_id))
    said = output_of(job)
    assert "SLURM_JOB_ID" in said
    for hidden in ("SLURM_JWT", "eyJ", tokens.headers("alice")["X-SLURM-USER-TOKEN"]):
        assert hidden not in said


@pytest.mark.parametrize("number", [40, 41, 42])
async def test_tasks_of_arrays_are_named_by_their_array_in_every_version(
    number: int, slurm: Instance, tokens: TokenSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "candidates", lambda: iter([number]))
    async with client_of(slurm.rest_url, tokens) as client:
        go = slurm.workspace / f"go-{uuid4()}"
        waits = f"while [ ! -e {go} ]; do sleep 0.1; done"
        first = await client.submit(job_in(slurm, waits, array="0-5%2"), user="alice")
        second = await client.submit(job_in(slurm, waits, array="3,4"), user="bob")

        async def started() -> bool:
            counts = [
                Counter((await states_of(client, submitted.job_id)).values()) for submitted in (first, second)
            ]
            return counts == [{"RUNNING": 2, "PENDING": 4}, {"RUNNING": 2}]

        await wait_for(started, "two tasks of each run")
        assert list(await states_of(client, second.job_id)) == [f"{second.job_id}_{task}" for task in (3, 4)]
        await client.cancel([f"{first.job_id}_5", f"{second.job_id}_4"], user="hpcportal")
        go.touch()

        async def ended() -> bool:
            states = await states_of(client, first.job_id)
            return Counter(states.values()) == {"COMPLETED": 5} and f"{first.job_id}_5" not in states

        await wait_for(ended, "all but the cancelled task completed")
        assert await states_of(client, second.job_id) == {
            f"{second.job_id}_3": "COMPLETED",
            f"{second.job_id}_4": "CANCELLED",
        }


async def test_a_held_job_is_changed_released_and_cancelled_by_its_user(
    client: SlurmClient, slurm: Instance
) -> None:
    submitted = await client.submit(job_in(slurm, "sleep 100", hold=True), user="alice")
    job_id = str(submitted.job_id)
    with pytest.raises(SlurmRefused):
        await client.update(job_id, {"nice": 5}, user="bob")
    with pytest.raises(SlurmRefused, match="permission denied"):
        await client.cancel([job_id], user="bob")
    limit = {"set": True, "infinite": False, "number": 3}
    await client.update(job_id, {"time_limit": limit, "nice": 5}, user="alice")
    (job,) = await client.job(job_id)
    assert (job.time_limit, job.nice, job.hold) == (3, 5, True)
    await client.update(job_id, {"hold": False}, user="alice")
    await wait_for_state(client, submitted.job_id, "RUNNING")
    await client.cancel([job_id, "999999"], user="alice")
    await wait_for_state(client, submitted.job_id, "CANCELLED")
    await client.cancel([job_id], user="alice")


async def test_budgets_accounts_and_members_are_made_and_changed_and_twice_does_no_harm(
    slurm: Instance, tcp_client: SlurmClient
) -> None:
    name = f"rest-{uuid4().hex[:8]}"
    minutes = [{"type": "cpu", "count": 600}, {"type": "gres", "name": "gpu", "count": 120}]
    qos = {
        "name": name,
        "flags": ["DENY_LIMIT", "NO_DECAY"],
        "limits": {"max": {"tres": {"minutes": {"total": minutes}}}},
    }
    account = {
        "association_condition": {"accounts": [name], "clusters": ["danang"]},
        "account": {"description": name, "organization": "city"},
    }
    member = {
        "association_condition": {
            "users": ["bob"],
            "accounts": [name],
            "clusters": ["danang"],
            "association": {"qoslevel": [name], "defaultqos": name},
        },
        "user": {},
    }
    for _ in range(2):
        await tcp_client.put_qos([qos], user="slurm")
        await tcp_client.add_account_associations(account, user="slurm")
        await tcp_client.add_user_associations(member, user="slurm")
    (made,) = (one for one in await tcp_client.qos() if one.name == name)
    assert {(one.type, one.name, one.count) for one in made.grp_tres_minutes} == {
        ("cpu", "", 600),
        ("gres", "gpu", 120),
    }
    (bob,) = (one for one in await tcp_client.associations(account=name) if one.user == "bob")
    assert (bob.qos, bob.default_qos) == ((name,), name)
    with pytest.raises(SlurmRefused, match="permission denied"):
        await tcp_client.put_qos([qos], user="alice")
    slurm.run("sacctmgr", "--immediate", "delete", "account", name)
    slurm.run("sacctmgr", "--immediate", "delete", "qos", name)
    assert await tcp_client.associations(account=name) == []
    assert name not in {one.name for one in await tcp_client.qos()}


async def test_a_key_of_another_cluster_is_told_apart_from_a_refusal(
    slurm: Instance, tmp_path: Path, job: dict[str, object]
) -> None:
    (tmp_path / "wrong.key").write_bytes(b"x" * 32)
    async with client_of(slurm.rest_url, MintedTokens(tmp_path / "wrong.key")) as client:
        with pytest.raises(TokenRefused, match="JWT key"):
            await client.submit(job, user="alice")


async def test_an_expired_token_is_told_apart_from_a_refusal(
    slurm: Instance, tmp_path: Path, job: dict[str, object]
) -> None:
    (tmp_path / "right.key").write_bytes(slurm.jwt_key())
    an_hour_ago = MintedTokens(tmp_path / "right.key", clock=lambda: time.time() - 3600)
    async with client_of(slurm.rest_url, an_hour_ago) as client:
        with pytest.raises(TokenRefused, match="clocks"):
            await client.submit(job, user="alice")


async def test_a_token_of_slurm_user_acts_for_everybody(
    slurm: Instance, tmp_path: Path, job: dict[str, object]
) -> None:
    file = tmp_path / "token"
    file.write_text(slurm.run("scontrol", "token", "username=slurm", "lifespan=600"))
    async with client_of(slurm.rest_url, ProxyToken(file)) as client:
        for user in ("alice", "bob"):
            submitted = await client.submit(job, user=user)
            (seen,) = await client.job(str(submitted.job_id))
            assert seen.user_name == user


async def test_a_token_of_one_user_acts_for_that_user_only(
    slurm: Instance, tmp_path: Path, job: dict[str, object]
) -> None:
    file = tmp_path / "token"
    file.write_text(slurm.run("scontrol", "token", "username=alice", "lifespan=600"))
    async with client_of(slurm.rest_url, TokenFile(file), polling_user="alice") as client:
        assert (await client.submit(job, user="alice")).job_id > 0
        with pytest.raises(TokenRefused, match="'bob'"):
            await client.submit(job, user="bob")


async def test_while_slurmctld_is_away_nothing_is_changed_and_afterwards_all_goes_on(
    tcp_client: SlurmClient, slurm: Instance, job: dict[str, object]
) -> None:
    await tcp_client.start()
    daemons.stop(slurm, "slurmctld")
    with pytest.raises(SchedulerUnavailable) as caught:
        await tcp_client.submit(job, user="alice")
    assert not isinstance(caught.value, TokenRefused)
    daemons.start(slurm, "slurmctld")
    submitted = await tcp_client.submit(job, user="alice")
    await wait_for_state(tcp_client, submitted.job_id, "COMPLETED")
    mine = [seen for seen in await tcp_client.jobs() if seen.comment == job["comment"]]
    assert [seen.job_id for seen in mine] == [submitted.job_id]


async def test_a_submit_to_a_slurmctld_that_hangs_is_uncertain_and_may_be_there_later(
    tcp_client: SlurmClient, slurm: Instance, job: dict[str, object]
) -> None:
    await tcp_client.start()
    pid = daemons.pid_of(slurm, "slurmctld")
    slurm.run("kill", "-STOP", str(pid))
    try:
        with pytest.raises(SubmitUncertain):
            await tcp_client.submit(job, user="alice")
    finally:
        slurm.run("kill", "-CONT", str(pid))

    async def goes_on() -> bool:
        try:
            return (await tcp_client.ping()).release != ""
        except SchedulerUnavailable:
            return False

    await wait_for(goes_on, "slurmctld answers again")
    assert [seen.comment for seen in await tcp_client.jobs()].count(str(job["comment"])) <= 1


async def test_while_slurmdbd_is_away_jobs_are_followed_and_accounting_says_so(
    tcp_client: SlurmClient, slurm: Instance
) -> None:
    daemons.stop(slurm, "slurmdbd")
    now = datetime.now(UTC)
    with pytest.raises(SchedulerUnavailable):
        await tcp_client.accounting(start=now - timedelta(hours=1), end=now)
    assert await tcp_client.states() is not None
    daemons.start(slurm, "slurmdbd")

    async def answers() -> bool:
        try:
            await tcp_client.accounting(start=now - timedelta(hours=1), end=now)
        except SchedulerUnavailable:
            return False
        return True

    await wait_for(answers, "slurmdbd is back")


async def test_slurmrestd_killed_amid_a_burst_leaves_no_submit_in_a_wrong_light(
    tcp_client: SlurmClient, slurm: Instance
) -> None:
    await tcp_client.start()
    fates: dict[str, str] = {}
    is_amid, is_killed = asyncio.Event(), asyncio.Event()

    async def submit() -> None:
        comment = f"hpc-portal:{uuid4()}"
        try:
            await tcp_client.submit(job_in(slurm, comment=comment, hold=True), user="alice")
            fates[comment] = "accepted"
        except SubmitUncertain:
            fates[comment] = "uncertain"
        except SchedulerUnavailable:
            fates[comment] = "nothing changed"
        if len(fates) >= 60:
            is_amid.set()

    async def submit_until_it_is_killed_and_once_more() -> None:
        while not is_killed.is_set():
            await submit()
            await asyncio.sleep(0)  # a client that knows slurmrestd to be away waits for nothing
        await submit()

    async def kill_in_the_middle() -> None:
        await is_amid.wait()
        await asyncio.to_thread(daemons.kill, slurm, "slurmrestd")
        is_killed.set()

    await asyncio.gather(kill_in_the_middle(), *(submit_until_it_is_killed_and_once_more() for _ in range(8)))
    daemons.start(slurm, "slurmrestd")

    async def is_back() -> bool:
        try:
            return (await tcp_client.ping()).release != ""
        except SchedulerUnavailable:
            return False

    await wait_for(is_back, "slurmrestd is back")
    found = Counter(job.comment for job in await tcp_client.jobs() if job.comment in fates)
    assert set(fates.values()) >= {"accepted", "nothing changed"}
    allowed = {"accepted": {1}, "uncertain": {0, 1}, "nothing changed": {0}}
    assert [fate for comment, fate in fates.items() if found[comment] not in allowed[fate]] == []
