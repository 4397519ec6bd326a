"""`hpc-portal doctor` says what to do about a slurmrestd of another version, or one that refuses us."""

import asyncio
from pathlib import Path

import pytest

from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.cli.doctor.finding import Finding, Level
from hpc_portal.cli.doctor.network import look_at_network
from tests.small_slurmrestd import Answer, Asked, Fate, Reply, small_slurmrestd

pytestmark = pytest.mark.anyio

_NO_SUCH_URL = Reply("Unable find requested URL. Please view /openapi/v3 for API reference.", 404)
_PONG = {
    "pings": [{"responding": True, "primary": True}],
    "meta": {"slurm": {"release": "27.05.1", "cluster": "danang"}},
}
_ANSWERS = {
    "ping": _PONG,
    "state": {"jobs": []},
    "users": {"users": [{"name": "root", "administrator_level": ["Administrator"]}]},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def speaking(number: int) -> Answer:
    """A slurmrestd of this API version alone, with a cluster behind it that has no jobs."""

    def answer(asked: Asked) -> Fate:
        if f"/v0.0.{number}/" not in asked.path:
            return _NO_SUCH_URL
        last = asked.path.rstrip("/").rpartition("/")[2]
        return Reply(_ANSWERS.get(last, _ANSWERS["state"]))

    return answer


async def look(answer: Answer, folder: Path, *, allow: bool = False) -> list[Finding]:
    key = folder / "jwt.key"
    key.write_bytes(b"0" * 32)
    async with small_slurmrestd(answer) as server:
        slurm = SlurmSettings(url=server.url, jwt_key=key, allow_unknown_api_version=allow, admin_user="root")
        return await asyncio.to_thread(lambda: list(look_at_network(Settings(slurm=slurm))))


async def test_an_api_that_is_newer_than_known_is_wrong_until_somebody_confirmed_it(tmp_path: Path) -> None:
    found = {one.level: one.said for one in await look(speaking(50), tmp_path)}
    assert "upgrade the portal" in found[Level.WRONG]
    assert "HPC_PORTAL_SLURM__ALLOW_UNKNOWN_API_VERSION" in found[Level.WRONG]

    found = {one.level: one.said for one in await look(speaking(50), tmp_path, allow=True)}
    assert found[Level.DOUBT] == "This API is newer than the portal knows."
    assert Level.WRONG not in found


async def test_an_api_that_is_known_is_well(tmp_path: Path) -> None:
    assert {one.level for one in await look(speaking(45), tmp_path)} == {Level.WELL}


async def test_an_api_that_is_too_old_is_named_with_what_would_do(tmp_path: Path) -> None:
    [found] = await look(speaking(39), tmp_path)
    assert found.level is Level.WRONG
    assert "v0.0.40" in found.said


async def test_a_token_that_is_not_taken_is_told_with_what_to_look_at(tmp_path: Path) -> None:
    [found] = await look(lambda _: Reply("Authentication failure", 401), tmp_path)
    assert found.level is Level.WRONG
    assert "Check the JWT key or token file" in found.said
    assert "the clocks" in found.said
