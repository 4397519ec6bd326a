"""The client against a real HTTP server on real sockets that answers, hangs and hangs up as told."""

import asyncio
import logging
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schedulers.errors import SchedulerUnavailable, SubmitUncertain
from schedulers.slurm.breaker import Breaker
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.errors import EndpointMissing, SlurmRefused, TokenRefused, VersionUnconfirmed
from schedulers.slurm.tokens import MintedTokens
from schedulers.slurm.transport import RestTransport
from tests.small_slurmrestd import Answer, Asked, Fate, HalfAReply, HangUp, Reply, Silence, small_slurmrestd

pytestmark = pytest.mark.anyio

NO_SUCH_URL = Reply("Unable find requested URL. Please view /openapi/v3 for API reference.", 404)
PONG = {
    "pings": [{"responding": True, "primary": True}],
    "meta": {"slurm": {"release": "24.11.5", "cluster": "danang"}},
}
JOB = {"name": "x", "script": "#!/bin/sh\ntrue\n"}
NOT_NOW = {"errors": [{"error_number": 1800, "error": "Unable to contact slurm controller"}]}


class Now:
    """Time that a test moves; pauses move it, too."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    async def pause(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwt_hs256.key"
    path.write_bytes(bytes(range(32)))
    return path


@asynccontextmanager
async def client_of(  # noqa: PLR0913 - what a test may choose
    url: str,
    key_file: Path,
    now: Now,
    *,
    timeout_seconds: float = 30.0,
    most_requests_at_once: int = 16,
    ssl_context: ssl.SSLContext | None = None,
    allow_unknown_version: bool = False,
) -> AsyncIterator[SlurmClient]:
    """A client whose pauses take no time."""
    tokens = MintedTokens(key_file)
    transport = RestTransport(
        url,
        tokens,
        timeout_seconds=timeout_seconds,
        breaker=Breaker("slurmrestd", clock=now),
        pause=now.pause,
        ssl_context=ssl_context,
        most_requests_at_once=most_requests_at_once,
    )
    client = SlurmClient(
        url,
        tokens,
        polling_user="hpcportal",
        transport=transport,
        allow_unknown_version=allow_unknown_version,
    )
    try:
        yield client
    finally:
        await client.close()


def speaking(*numbers: int, then: Answer) -> Answer:
    """A slurmrestd of these API versions: pings are answered, everything else is `then`'s."""

    def answer(asked: Asked) -> Fate:
        if not any(f"/v0.0.{number}/" in asked.path for number in numbers):
            return NO_SUCH_URL
        return Reply(PONG) if asked.path.endswith("/ping") else then(asked)

    return answer


def always(reply: Fate) -> Answer:
    return lambda _: reply


async def test_the_newest_version_that_is_spoken_is_found_and_remembered(key_file: Path, now: Now) -> None:
    async with (
        small_slurmrestd(speaking(41, 42, 43, then=always(Reply({"jobs": []})))) as server,
        client_of(server.url, key_file, now) as client,
    ):
        await client.start()
        await client.jobs()
        await client.jobs()
    assert server.paths() == [
        *(f"/slurm/v0.0.{number}/ping" for number in (45, 44, 43)),
        *["/slurm/v0.0.43/jobs"] * 2,
    ]


async def test_many_first_calls_at_once_look_for_the_version_once(key_file: Path, now: Now) -> None:
    async with (
        small_slurmrestd(speaking(45, then=always(Reply({"jobs": []})))) as server,
        client_of(server.url, key_file, now) as client,
    ):
        await asyncio.gather(*(client.jobs() for _ in range(10)))
    assert server.paths().count("/slurm/v0.0.45/ping") == 1


async def test_when_slurm_was_upgraded_the_version_is_looked_for_again_and_nothing_is_lost(
    key_file: Path, now: Now
) -> None:
    spoken = [42]

    def answer(asked: Asked) -> Fate:
        return speaking(*spoken, then=always(Reply({"job_id": 7})))(asked)

    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.submit(JOB, user="alice")
        spoken[:] = [44]
        assert (await client.submit(JOB, user="alice")).job_id == 7
    submits = [asked for asked in server.asked if asked.method == "POST"]
    assert [asked.path for asked in submits] == [
        "/slurm/v0.0.42/job/submit",
        "/slurm/v0.0.42/job/submit",
        "/slurm/v0.0.44/job/submit",
    ]


async def test_a_url_that_is_missing_though_the_version_is_the_same_is_said(key_file: Path, now: Now) -> None:
    async with (
        small_slurmrestd(speaking(42, then=always(NO_SUCH_URL))) as server,
        client_of(server.url, key_file, now) as client,
    ):
        with pytest.raises(EndpointMissing, match=r"/slurm/v0\.0\.42/licenses"):
            await client.licenses()


async def test_an_unknown_version_is_read_and_not_written_until_it_is_confirmed(
    key_file: Path, now: Now
) -> None:
    answer = speaking(47, 48, then=always(Reply({"jobs": [{"job_id": 7}], "job_id": 7})))
    async with small_slurmrestd(answer) as server:
        async with client_of(server.url, key_file, now) as client:
            version = await client.ping()
            assert (version.api, version.is_known) == ("v0.0.47", False)
            assert [job.job_id for job in await client.jobs()] == [7]
            for write in (
                client.submit(JOB, user="alice"),
                client.cancel(["7"]),
                client.update("7", {"nice": 1}, user="alice"),
                client.put_qos([{"name": "q"}], user="slurm"),
            ):
                with pytest.raises(VersionUnconfirmed, match="allow_unknown_api_version"):
                    await write
        assert {asked.method for asked in server.asked} == {"GET"}
        async with client_of(server.url, key_file, now, allow_unknown_version=True) as client:
            assert (await client.submit(JOB, user="alice")).job_id == 7


async def test_each_call_is_made_as_the_user_it_is_for_and_polling_as_its_own(
    key_file: Path, now: Now
) -> None:
    answer = speaking(45, then=always(Reply({"job_id": 7})))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.submit(JOB, user="alice")
        await client.jobs()
        await client.cancel(["7"])
    users = [asked.headers["x-slurm-user-name"] for asked in server.asked if "/ping" not in asked.path]
    assert users == ["alice", "hpcportal", "hpcportal"]
    assert all(asked.headers["x-slurm-user-token"].count(".") == 2 for asked in server.asked)


@pytest.mark.parametrize("lost", [HangUp(), HalfAReply()], ids=["hung up", "half a reply"])
async def test_a_connection_lost_amid_a_submit_is_uncertain_and_not_repeated(
    lost: HangUp | HalfAReply, key_file: Path, now: Now
) -> None:
    answer = speaking(45, then=always(lost))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SubmitUncertain):
            await client.submit(JOB, user="alice")
    assert [asked.method for asked in server.asked].count("POST") == 1


async def test_a_submit_without_an_answer_in_time_is_uncertain(key_file: Path, now: Now) -> None:
    answer = speaking(45, then=always(Silence()))
    async with (
        small_slurmrestd(answer) as server,
        client_of(server.url, key_file, now, timeout_seconds=2.0) as client,
    ):
        with pytest.raises(SubmitUncertain, match="gave no answer"):
            await client.submit(JOB, user="alice")


async def test_a_submit_that_slurmctld_may_have_got_is_uncertain(key_file: Path, now: Now) -> None:
    lost = {
        "errors": [{"error_number": 1802, "error": "Unable to contact slurm controller (receive failure)"}]
    }
    answer = speaking(45, then=always(Reply(lost, 500)))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SubmitUncertain, match="receive failure"):
            await client.submit(JOB, user="alice")


async def test_an_accepted_submit_without_a_job_id_is_uncertain(key_file: Path, now: Now) -> None:
    answer = speaking(45, then=always(Reply({"errors": []})))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SubmitUncertain, match="gave no id"):
            await client.submit(JOB, user="alice")


async def test_a_submit_that_nobody_could_take_changed_nothing(key_file: Path, now: Now) -> None:
    answer = speaking(45, then=always(Reply(NOT_NOW, 500)))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SchedulerUnavailable, match="Unable to contact slurm controller"):
            await client.submit(JOB, user="alice")
    assert [asked.method for asked in server.asked].count("POST") == 1


async def test_a_submit_that_finds_nobody_listening_is_tried_again_and_then_changed_nothing(
    key_file: Path, now: Now
) -> None:
    async with small_slurmrestd(speaking(45, then=always(Reply({"job_id": 7})))) as server:
        url = server.url
        async with client_of(url, key_file, now) as client:
            await client.start()
    async with client_of(url, key_file, now) as client:
        with pytest.raises(SchedulerUnavailable, match="Cannot reach slurmrestd") as caught:
            await client.submit(JOB, user="alice")
    assert not isinstance(caught.value, SubmitUncertain)
    assert now.seconds > 0


@pytest.mark.parametrize("lost", [HangUp(), HalfAReply()], ids=["hung up", "half a reply"])
async def test_a_read_that_got_lost_is_repeated(lost: HangUp | HalfAReply, key_file: Path, now: Now) -> None:
    fates: list[Fate] = [lost, lost, Reply({"jobs": [{"job_id": 7}]})]
    answer = speaking(45, then=lambda _: fates.pop(0))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        assert [job.job_id for job in await client.jobs()] == [7]


async def test_a_cancel_that_got_lost_is_repeated_because_twice_does_no_harm(
    key_file: Path, now: Now
) -> None:
    fates: list[Fate] = [HangUp(), Reply({"status": []})]
    answer = speaking(45, then=lambda _: fates.pop(0))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.cancel(["7"], user="alice")
    assert [asked.method for asked in server.asked].count("DELETE") == 2


async def test_while_slurmrestd_is_down_calls_fail_at_once_and_one_finds_out_when_it_is_back(
    key_file: Path, now: Now
) -> None:
    down = [False]

    def answer(asked: Asked) -> Fate:
        return HangUp() if down[0] else speaking(45, then=always(Reply({"jobs": []})))(asked)

    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.jobs()
        down[0] = True
        with pytest.raises(SchedulerUnavailable):
            await client.jobs()
        asked = len(server.asked)
        with pytest.raises(SchedulerUnavailable, match="does not answer"):
            await client.submit(JOB, user="alice")
        assert len(server.asked) == asked
        down[0] = False
        now.seconds += 1.0
        assert await client.jobs() == []
        assert await client.jobs() == []


async def test_a_no_is_an_answer_and_keeps_the_way_open(key_file: Path, now: Now) -> None:
    refusal = {"errors": [{"error_number": 2000, "error": "Invalid partition name specified"}]}
    answer = speaking(45, then=always(Reply(refusal, 500)))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        for _ in range(10):
            with pytest.raises(SlurmRefused, match="Invalid partition name"):
                await client.submit(JOB, user="alice")


async def test_a_look_that_fails_without_a_reason_is_no_refusal(key_file: Path, now: Now) -> None:
    """As a slurmctld that is ending answers."""
    nothing = {"errors": [{"error_number": -1, "error": "Unspecified error"}]}
    answer = speaking(45, then=always(Reply(nothing, 500)))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SchedulerUnavailable, match="Unspecified error"):
            await client.states()
        with pytest.raises(SlurmRefused, match="Unspecified error"):
            await client.submit(JOB, user="alice")


async def test_no_more_requests_are_under_way_at_once_than_allowed(key_file: Path, now: Now) -> None:
    async def pause() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    answer = speaking(45, then=always(Reply({"jobs": []})))
    async with (
        small_slurmrestd(answer, pause=pause) as server,
        client_of(server.url, key_file, now, most_requests_at_once=3) as client,
    ):
        await client.start()
        await asyncio.gather(*(client.jobs() for _ in range(20)))
    assert server.most_at_once <= 3
    assert len(server.asked) == 21


async def test_a_call_that_was_given_up_leaves_its_place_to_others(key_file: Path, now: Now) -> None:
    silenced = asyncio.Event()

    def first_silent(_: Asked) -> Fate:
        if silenced.is_set():
            return Reply({"jobs": []})
        silenced.set()
        return Silence()

    async with (
        small_slurmrestd(speaking(45, then=first_silent)) as server,
        client_of(server.url, key_file, now, most_requests_at_once=1) as client,
    ):
        await client.start()
        hanging = asyncio.ensure_future(client.jobs())
        await asyncio.wait_for(silenced.wait(), 30)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert await client.jobs() == []


async def test_a_unix_socket_serves_as_well(key_file: Path, now: Now, tmp_path: Path) -> None:
    answer = speaking(45, then=always(Reply({"job_id": 7})))
    async with (
        small_slurmrestd(answer, socket=tmp_path / "s") as server,
        client_of(server.url, key_file, now) as client,
    ):
        assert (await client.submit(JOB, user="alice")).job_id == 7


async def test_a_unix_socket_that_is_not_there_changed_nothing(
    key_file: Path, now: Now, tmp_path: Path
) -> None:
    async with client_of(f"unix://{tmp_path}/none", key_file, now) as client:
        with pytest.raises(SchedulerUnavailable, match="Cannot reach slurmrestd"):
            await client.submit(JOB, user="alice")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "rest.pem", folder / "rest.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = ["-subj", "/CN=slurmrestd", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command.split(), *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    return certificate, key


def serving_with(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_tls_works_with_the_sites_own_authority(
    key_file: Path, now: Now, certificate: tuple[Path, Path]
) -> None:
    answer = speaking(45, then=always(Reply({"job_id": 7})))
    trust = ssl.create_default_context(cafile=certificate[0])
    async with (
        small_slurmrestd(answer, tls=serving_with(certificate)) as server,
        client_of(server.url, key_file, now, ssl_context=trust) as client,
    ):
        assert server.url.startswith("https://")
        assert (await client.submit(JOB, user="alice")).job_id == 7


async def test_a_server_that_the_authority_does_not_know_gets_no_token(
    key_file: Path, now: Now, certificate: tuple[Path, Path]
) -> None:
    answer = speaking(45, then=always(Reply({"job_id": 7})))
    async with (
        small_slurmrestd(answer, tls=serving_with(certificate)) as server,
        client_of(server.url, key_file, now) as client,
    ):
        with pytest.raises(SchedulerUnavailable, match="certificate"):
            await client.submit(JOB, user="alice")
    assert server.asked == []


async def test_a_proxy_of_the_environment_sees_no_token(
    key_file: Path, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = speaking(45, then=always(Reply({"job_id": 7})))
    async with small_slurmrestd(always(HangUp())) as proxy, small_slurmrestd(answer) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with client_of(server.url, key_file, now) as client:
            assert (await client.submit(JOB, user="alice")).job_id == 7
    assert proxy.asked == []


@pytest.mark.parametrize(
    "fate",
    [
        HangUp(),
        HalfAReply(),
        Reply({"errors": [{"error_number": 1007, "error": "Protocol authentication error"}]}, 511),
        Reply({"errors": [{"error_number": 2000, "error": "Invalid partition"}]}, 500),
        Reply("Authentication failure", 401),
        Reply("<html>Bad Gateway</html>", 502),
    ],
    ids=["hung up", "half a reply", "not our token", "refused", "401", "gateway"],
)
async def test_no_failure_shows_a_token_in_errors_tracebacks_or_logs(
    fate: Fate,
    key_file: Path,
    now: Now,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = speaking(45, then=always(fate))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises((SchedulerUnavailable, SlurmRefused, SubmitUncertain)) as caught:
            await client.submit(JOB, user="alice")
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    secrets = {asked.headers["x-slurm-user-token"] for asked in server.asked}
    assert secrets
    printed = "".join(capsys.readouterr())
    everything = (
        f"{''.join(shown.format())} {caught.value!r} {caplog.text} {printed} {client!r} {vars(client)}"
    )
    for secret in secrets:
        assert secret not in everything
        assert secret.rpartition(".")[2] not in everything


async def test_a_token_that_is_not_accepted_says_what_to_check(key_file: Path, now: Now) -> None:
    denied = {"errors": [{"error_number": 1007, "error": "Protocol authentication error"}]}
    answer = speaking(45, then=always(Reply(denied, 511)))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(TokenRefused, match="JWT key"):
            await client.submit(JOB, user="alice")


async def test_slurmrestd_that_answers_without_slurmctld_is_no_cluster(key_file: Path, now: Now) -> None:
    def answer(asked: Asked) -> Fate:
        down = {"pings": [{"responding": False, "primary": True}]}
        return Reply(down) if "/v0.0.45/" in asked.path else NO_SUCH_URL

    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.start()
        with pytest.raises(SchedulerUnavailable, match="slurmctld does not answer"):
            await client.ping()


async def test_a_slurmrestd_of_another_world_is_said(key_file: Path, now: Now) -> None:
    async with (
        small_slurmrestd(always(NO_SUCH_URL)) as server,
        client_of(server.url, key_file, now) as client,
    ):
        with pytest.raises(SchedulerUnavailable, match=r"v0\.0\.40 to v0\.0\.45"):
            await client.start()


async def test_two_thousand_jobs_are_cancelled_in_two_requests(key_file: Path, now: Now) -> None:
    answer = speaking(45, then=always(Reply({"status": []})))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.cancel([str(number) for number in range(2000)], user="alice")
    bodies = [asked.body["jobs"] for asked in server.asked if asked.method == "DELETE"]
    assert [len(jobs) for jobs in bodies] == [1000, 1000]


async def test_a_requeue_is_asked_for_where_the_version_can_and_refused_where_it_cannot(
    key_file: Path, now: Now
) -> None:
    spoken = [45]

    def answer(asked: Asked) -> Fate:
        return speaking(*spoken, then=always(Reply({"status": []})))(asked)

    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        await client.requeue(["7"], user="alice", is_held=True)
        assert server.asked[-1].path == "/slurm/v0.0.45/jobs/requeue"
        assert server.asked[-1].body == {"jobs": ["7"], "flags": ["Hold"]}
    spoken[:] = [42]
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SlurmRefused, match="cannot requeue"):
            await client.requeue(["7"], user="alice")


async def test_a_change_that_some_tasks_refuse_is_refused_in_their_words(key_file: Path, now: Now) -> None:
    results = [{"job_id": 7, "error_code": 0, "error": "No error"}]
    results.append({"job_id": 8, "error_code": 2021, "error": "Job/step already completing or completed"})
    answer = speaking(45, then=always(Reply({"results": results})))
    async with small_slurmrestd(answer) as server, client_of(server.url, key_file, now) as client:
        with pytest.raises(SlurmRefused, match="already completing") as caught:
            await client.update("7", {"nice": 1}, user="alice")
    assert caught.value.numbers == {2021}
