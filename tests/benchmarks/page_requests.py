"""Pages asked for over HTTP, without a browser: who asks, and what a request takes of the processors."""

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Engine

from hpc_portal.app.wiring import build_services
from tests.benchmarks.seeded_jobs import seed_jobs
from tests.e2e.web.city import PASSWORD, City, build_city
from tests.e2e.web.every_page import Look, furnish
from tests.portal_processes import OPERATOR, Processes, wait_until
from tests.ports import free_port

JOBS = int(os.environ.get("HPC_PORTAL_BENCH_JOBS", "100000"))
PEOPLE = ("linh", "minh", "thanhpho")
"""A lead, a member, an administrator."""
ASKED = 15
MOST_SERVER_MS = 50
_OF_ONE_THING = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-|/(projects|organisations)/")


@dataclass(frozen=True)
class Cost:
    """What one request takes, in milliseconds."""

    wall_ms: float
    """The median; says less the busier the machine is."""
    cpu_ms: float
    """Of the web process, on average, and of PostgreSQL where it is one of its own."""


@dataclass(frozen=True)
class SeededCity:
    """Many jobs and what is to be looked at."""

    city: City
    looks: Sequence[Look]
    seconds: float
    """For writing the jobs."""


@dataclass(frozen=True)
class Web:
    """The process that serves the pages."""

    url: str
    process: psutil.Process
    postgres: psutil.Process | None

    @property
    def cpu_seconds(self) -> float:
        """User and system."""
        backends = self.postgres.children() if self.postgres else []
        return sum(float(sum(one.cpu_times()[:2])) for one in (self.process, *backends))


def seeded_city(folder: Path, database_url: str) -> SeededCity:
    """The city of the browser tests with `JOBS` more jobs, in an SQLite file or in this database."""
    city = build_city(folder, database_url)
    services = build_services(city.settings)
    looks = [look for look in furnish(city, services) if look.user in PEOPLE]
    services.commits.close()
    began = time.monotonic()
    seed_jobs(services.engine, city, JOBS)
    seconds = time.monotonic() - began
    _vacuum(services.engine)
    services.engine.dispose()
    return SeededCity(city, looks, seconds)


def _vacuum(engine: Engine) -> None:
    """What a PostgreSQL does by itself within a minute, and the tests' own does not."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def web_process(city: City) -> Iterator[Web]:
    """The real one, in a process of its own."""
    database_url = city.settings.effective_database_url
    environment = {
        "HPC_PORTAL_STATE_DIR": str(city.settings.state_dir),
        "HPC_PORTAL_DATABASE_URL": database_url,
    }
    port = free_port()
    with Processes(city.settings.state_dir, environment) as processes:
        processes.start("web", OPERATOR[0], "-m", "tests.benchmarks.bare_app", str(port))
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), what="the web process")
        yield Web(url, psutil.Process(processes.running["web"].pid), _postgres(database_url))


def _postgres(database_url: str) -> psutil.Process | None:
    """The tests' own server, by the file in which it says which process it is."""
    _, is_socket, folder = database_url.partition("?host=")
    if not is_socket:
        return None
    return psutil.Process(int((Path(folder) / "data/postmaster.pid").read_text().splitlines()[0]))


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/sign-in").is_success
    except httpx.TransportError:
        return False


def sign_in(url: str, user: str) -> dict[str, str]:
    """The cookies of this person's session."""
    with httpx.Client(base_url=url) as client:
        client.post("/sign-in", data={"username": user, "password": PASSWORD})
        return dict(client.cookies)


@contextmanager
def clients_of(web: Web, cookies: dict[str, dict[str, str]]) -> Iterator[dict[str, httpx.Client]]:
    """One for each person, over connections that stay open."""
    with ExitStack() as stack:
        yield {
            user: stack.enter_context(httpx.Client(base_url=web.url, cookies=found, timeout=120))
            for user, found in cookies.items()
        }


def costs_of(web: Web, clients: dict[str, httpx.Client], look: Look) -> list[Cost | None]:
    """By person. Lists for all three, pages of one thing for whom it is; None where they find none."""
    assert look.user
    readers = [look.user] if _OF_ONE_THING.search(look.address) else PEOPLE
    return [cost_of(web, clients[user], look.address) if user in readers else None for user in PEOPLE]


def cost_of(web: Web, client: httpx.Client, address: str) -> Cost | None:
    """Of the requests after a first one; None where this person finds no page."""
    if not client.get(address).is_success:
        return None
    times = []
    busy = web.cpu_seconds
    for _ in range(ASKED):
        began = time.perf_counter()
        client.get(address).raise_for_status()
        times.append(time.perf_counter() - began)
    return Cost(1000 * statistics.median(times), 1000 * (web.cpu_seconds - busy) / ASKED)
