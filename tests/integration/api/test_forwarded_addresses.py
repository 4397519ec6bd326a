"""Behind proxies: whom a web process believes where a request came from, which sign-in slows down by."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.operator import OPERATOR as US
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.clock import SystemClock
from tests.portal_processes import OPERATOR, Processes, wait_until
from tests.small_city import City, build_city

PASSWORD = "correct horse battery"
MOST_GUESSES = 10


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """With a database where `hpc-portal web` looks for it."""
    city = build_city(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path, clock=SystemClock())
    reset_password(city.services, US, username="chips-member", new=PASSWORD)
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


@contextmanager
def web(city: City, folder: Path, proxies: str) -> Iterator[tuple[str, Processes]]:
    """The real process, which believes these."""
    environment = {
        "HPC_PORTAL_STATE_DIR": str(folder),
        "HPC_PORTAL_DATABASE_URL": city.services.settings.effective_database_url,
        "HPC_PORTAL_PUBLIC_URL": "https://hpc.example.vn",
        "FORWARDED_ALLOW_IPS": proxies,
    }
    with Processes(folder, environment) as processes:
        processes.start("web", *OPERATOR, "web", "--port", "0")
        wait_until(lambda: bool(told(processes, "web.listening")), what="the address")
        yield str(told(processes, "web.listening")[0]["url"]), processes


def told(processes: Processes, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in processes.log("web").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def guess(url: str, forwarded: str, password: str = "a guess") -> httpx.Response:  # noqa: S107 - a wrong one
    """Sign in, with what proxies and whoever is in front of them say of the way."""
    return httpx.post(
        f"{url}/api/v1/tokens/sign-in",
        json={"username": "chips-member", "password": password},
        headers={"x-forwarded-for": forwarded},
        trust_env=False,
        timeout=30,
    )


def guesses(url: str, behind: str = "") -> list[int]:
    """Answers up to the first refusal to listen, which a slow machine may meet one guess late."""
    answers: list[int] = []
    while len(answers) < MOST_GUESSES and 429 not in answers:
        answers.append(guess(url, f"198.51.100.{len(answers)}{behind}").status_code)
    return answers


def test_a_guesser_who_makes_addresses_up_is_slowed_down_all_the_same(city: City, tmp_path: Path) -> None:
    with web(city, tmp_path, "127.0.0.0/8,10.0.0.0/8") as (url, processes):
        answers = guesses(url, ", 203.0.113.7, 10.1.2.3")
        assert (answers[:5], answers[-1]) == ([401] * 5, 429)
        token = guess(url, "198.51.100.9, 203.0.113.8, 10.1.2.3", PASSWORD).json()["token"]
        headers = {"authorization": f"Bearer {token}", "x-forwarded-for": "198.51.100.9, 203.0.113.8"}
        body = {"name": "laptop"}
        made = httpx.post(f"{url}/api/v1/tokens", json=body, headers=headers, trust_env=False, timeout=30)
        assert made.status_code == 201
        with city.services.engine.connect() as connection:
            addresses = connection.execute(select(col(AuditRecord.address))).scalars().all()
        assert "203.0.113.8" in addresses
        assert not [one for one in addresses if one.startswith("198.51.100.")], "made up"
        assert told(processes, "web.believes_everybody") == []


def test_who_is_no_proxy_is_not_believed(city: City, tmp_path: Path) -> None:
    with web(city, tmp_path, "10.0.0.0/8") as (url, _):
        answers = guesses(url)
        assert (answers[:5], answers[-1]) == ([401] * 5, 429)


def test_a_process_that_believes_everybody_says_so(city: City, tmp_path: Path) -> None:
    with web(city, tmp_path, "*") as (_, processes):
        [warning] = told(processes, "web.believes_everybody")
    assert (warning["level"], warning["variable"]) == ("warning", "FORWARDED_ALLOW_IPS")
