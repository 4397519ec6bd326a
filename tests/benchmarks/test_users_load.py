"""Two thousand signed-in people on two web replicas and PostgreSQL: pages, streams, submissions, memory.

LOAD_MINUTES, LOAD_PER_SECOND and LOAD_STREAMS name another length, rate of requests and number of streams;
LOAD_ROUNDS how often mix and bare page take turns at full speed.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import Engine, func, select, text
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, ProjectMember
from hpc_portal.app.wiring import build_services
from hpc_portal.auth.sessions import cookie_name, open_session
from quotas.tables import Project
from tests.benchmarks.memory_over_time import MemorySamples, at_each_minute, slope_per_hour
from tests.benchmarks.people_load import Order
from tests.benchmarks.people_mix import BARE
from tests.benchmarks.seeded_jobs import seed_jobs
from tests.databases import PORTAL_TABLES
from tests.e2e.web.city import build_city, report_cluster
from tests.portal_processes import OPERATOR, Processes, wait_until
from tests.ports import free_port
from tests.postgres import running_server

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]

PEOPLE = 2000
REPLICAS = 2
JOBS = int(os.environ.get("HPC_PORTAL_BENCH_JOBS", "20000"))
MINUTES = float(os.environ.get("LOAD_MINUTES", "1"))
PER_SECOND = float(os.environ.get("LOAD_PER_SECOND", "33"))
"""Each of them opens a page once a minute; pages that refresh themselves come on top."""
STREAMS = int(os.environ.get("LOAD_STREAMS", "400"))
ROUNDS = int(os.environ.get("LOAD_ROUNDS", "2"))
AT_ONCE = 16
FULL_SPEED_SECONDS = 15.0
BARE_SECONDS = 15.0
JOBS_OF_A_PERSON = 10
CLUSTER_SECONDS = 5.0
WARM_UP_SHARE = 0.2
"""Of the time at the steady rate, which the slope of memory leaves out: caches fill and threads begin."""


@dataclass(frozen=True)
class Site:
    """The replicas and whoever is signed in to them."""

    folder: Path
    engine: Engine
    ports: Sequence[int]
    processes: Mapping[str, psutil.Process]
    people: Sequence[dict[str, Any]]

    def load(self, *, seconds: float, **wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of an Order
        """Let the generator do it; what it measured."""
        path = self.folder / "order.json"
        path.write_text(json.dumps(asdict(Order(self.ports, self.people, seconds, **wanted))))
        command = [sys.executable, "-m", "tests.benchmarks.people_load", str(path)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=seconds + 300).stdout
        return dict(json.loads(printed))


def test_two_thousand_people_on_two_replicas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        running_server(survives_power_cuts=True) as server,
        server.database(PORTAL_TABLES) as url,
        _site(tmp_path, url) as site,
        capsys.disabled(),
    ):
        print(f"\n## {len(site.people):,} people signed in, {REPLICAS} replicas, PostgreSQL, {JOBS:,} jobs")
        bare = site.load(seconds=BARE_SECONDS, per_second=PER_SECOND, is_bare=True)
        with MemorySamples(site.processes) as memory:
            mix = site.load(seconds=MINUTES * 60, per_second=PER_SECOND, streams=STREAMS)
            sessions = _sessions_of_postgresql(site.engine)
        _say_latencies(mix, bare)
        _say_memory(memory)
        print(f"sessions of PostgreSQL: {sessions}")
        assert not mix["errors"]
        _say_full_speed(site)


def _say_latencies(mix: dict[str, Any], bare: dict[str, Any]) -> None:
    print(
        f"steady: {_rate(mix):.1f} requests/s, of which ordered {PER_SECOND:.0f}, {STREAMS} streams open "
        f"({mix['streams_opened']} opened, {mix['events']} messages), {MINUTES:g} min, errors {mix['errors']}"
    )
    print(f"{'':24} {'number':>7} {'p50 ms':>8} {'p99 ms':>8}")
    for kind, found in sorted(mix["latencies"].items(), key=lambda item: -len(item[1])):
        print(f"{kind:24} {len(found):7} {statistics.median(found):8.1f} {_p99(found):8.1f}")
    every, idle = _every(mix), _every(bare)
    print(f"{'all of the mix':24} {len(every):7} {statistics.median(every):8.1f} {_p99(every):8.1f}")
    print(f"{BARE:24} {len(idle):7} {statistics.median(idle):8.1f} {_p99(idle):8.1f}")
    p50 = statistics.median(every) / statistics.median(idle)
    print(f"mix / bare page at the same rate: p50 {p50:.1f}, p99 {_p99(every) / _p99(idle):.1f}")


def _say_memory(memory: MemorySamples) -> None:
    after = MINUTES * 60 * WARM_UP_SHARE
    for name, points in memory.points.items():
        said = " ".join(f"{value:.0f}" for value in at_each_minute(points))
        print(f"{name}: MiB by minute {said}; slope {slope_per_hour(points, after_seconds=after):+.1f} MiB/h")


def _say_full_speed(site: Site) -> None:
    """In turns, so that what else the machine does falls on both."""
    turns: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for _ in range(ROUNDS):
        mix = site.load(seconds=FULL_SPEED_SECONDS, at_once=AT_ONCE, streams=STREAMS)
        bare = site.load(seconds=FULL_SPEED_SECONDS, at_once=AT_ONCE, streams=STREAMS, is_bare=True)
        assert not mix["errors"], mix["errors"]
        turns.append((mix, bare))
    for name, part in (("mix", 0), ("bare page", 1)):
        rates = " ".join(f"{_rate(turn[part]):.0f}" for turn in turns)
        tails = " ".join(f"{_p99(_every(turn[part])):.0f}" for turn in turns)
        print(f"full speed, {AT_ONCE} at once, {name:9}: {rates} requests/s, p99 {tails} ms")
    if turns:
        rate = statistics.median(_rate(mix) / _rate(bare) for mix, bare in turns)
        tail = statistics.median(_p99(_every(mix)) / _p99(_every(bare)) for mix, bare in turns)
        print(f"mix / bare page at full speed: throughput {rate:.2f}, p99 {tail:.1f}")


def _every(measured: dict[str, Any]) -> list[float]:
    return [one for found in measured["latencies"].values() for one in found]


def _rate(measured: dict[str, Any]) -> float:
    return float(len(_every(measured)) / measured["seconds"])


def _p99(found: Sequence[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]


@contextmanager
def _site(folder: Path, url: str) -> Iterator[Site]:
    """Seed it, sign everybody in, start the replicas; a cluster goes on reporting itself."""
    city = build_city(folder, url)
    services = build_services(city.settings)
    seed_jobs(services.engine, city, JOBS, members=PEOPLE // 86 + 1)
    people = _sign_everybody_in(services)
    ports = [free_port() for _ in range(REPLICAS)]
    environment = {"HPC_PORTAL_STATE_DIR": str(folder), "HPC_PORTAL_DATABASE_URL": url}
    over = threading.Event()
    reporting = threading.Thread(target=_report, args=(services.engine, over), daemon=True)
    try:
        with Processes(folder, environment) as processes:
            for number, port in enumerate(ports):
                name = f"web {number}"
                processes.start(name, OPERATOR[0], "-m", "tests.benchmarks.bare_app", str(port))
            for port in ports:
                wait_until(lambda: _answers(port), what="a replica")  # noqa: B023 - now
            reporting.start()
            replicas = {name: psutil.Process(one.pid) for name, one in processes.running.items()}
            yield Site(folder, services.engine, ports, replicas, people)
    finally:
        over.set()
        services.commits.close()
        services.engine.dispose()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/sign-in").is_success
    except httpx.TransportError:
        return False


def _report(engine: Engine, over: threading.Event) -> None:
    while not over.wait(CLUSTER_SECONDS):
        transact(engine, report_cluster)


def _sign_everybody_in(services: Services) -> list[dict[str, Any]]:
    """A session for each of so many members of projects, with some jobs that they may look at."""
    with services.engine.connect() as connection:
        members = connection.execute(
            select(col(ProjectMember.user_id), col(Project.id), col(Project.account))
            .join(Project, col(Project.id) == col(ProjectMember.project_id))
            .limit(PEOPLE)
        ).all()
        newest = select(
            col(Job.id),
            col(Job.project_id),
            func.row_number()
            .over(partition_by=col(Job.project_id), order_by=col(Job.id).desc())
            .label("place"),
        ).subquery()
        jobs: dict[Any, list[str]] = {}
        for job in connection.execute(select(newest).where(newest.c.place <= JOBS_OF_A_PERSON)):
            jobs.setdefault(job.project_id, []).append(str(job.id))
    name = cookie_name(services.settings)
    return [
        {
            "cookie": f"{name}={open_session(services, member.user_id, user_agent='load')}",
            "project": member.account,
            "jobs": jobs[member.id],
        }
        for member in members
    ]


def _sessions_of_postgresql(engine: Engine) -> dict[str, int]:
    """How many there are of each process, ours included."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
        )
        return dict(Counter(name for (name,) in found))
