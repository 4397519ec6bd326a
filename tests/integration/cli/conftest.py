"""A real portal with its controller and node, and `hpc` run as a program against it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpc_portal.app import demo as city
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.schema import upgrade
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.demo_jobs import sign_in
from hpc_portal.cli.demo_portal import running_portal, wait_for_cluster
from tests.forked_programs import BIN, run_forked
from tests.small_city import SilentWake


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.stdout)


def run_program(
    program: str, *arguments: str, environment: Mapping[str, str], stdin: str = "", seconds: float = 120
) -> Ran:
    """Run `hpc` or `hpc-portal` to its end."""
    variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
    if "PYTHONPATH" in environment:  # what is imported matters
        command = [str(BIN / program), *arguments]
        done = subprocess.run(
            command, env=variables, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
        )
    else:
        done = run_forked(program, arguments, env=variables, stdin=stdin, timeout=seconds)
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, with a home of their own."""

    home: Path
    url: str
    username: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home)}

    def hpc(self, *arguments: str, stdin: str = "", **variables: str) -> Ran:
        return run_program("hpc", *arguments, environment={**self.environment, **variables}, stdin=stdin)

    def script(self, body: str) -> str:
        path = self.home / "job.sh"
        path.write_text(f"#!/bin/bash\n{body}\n")
        return str(path)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        state_dir=tmp_path_factory.mktemp("portal"),
        port=0,
        cluster_uid_base=60_000 if os.geteuid() == 0 else 0,
        node_cpus=4,
        licenses={"vcs": 2},
    )


@pytest.fixture(scope="session")
def portal_url(settings: Settings) -> Iterator[str]:
    upgrade(settings)
    engine = build_engine(settings)
    commits = GroupCommit(engine)
    city.seed_city(Services(settings, engine, commits, SilentWake(), SystemClock()))
    commits.close()
    engine.dispose()
    with running_portal(settings) as url:
        with sign_in(url, city.DESIGNER) as portal:
            wait_for_cluster(portal)
        yield url


@pytest.fixture
def stranger(portal_url: str, tmp_path: Path) -> Person:
    """Nobody yet."""
    return Person(tmp_path, portal_url)


@pytest.fixture(scope="session")
def designer(portal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return signed_in(Person(tmp_path_factory.mktemp("home"), portal_url, city.DESIGNER))


@pytest.fixture(scope="session")
def rival(portal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return signed_in(Person(tmp_path_factory.mktemp("home"), portal_url, "mai"))


def signed_in(person: Person) -> Person:
    done = person.hpc("login", "--url", person.url, "-u", person.username, HPC_PASSWORD=city.PASSWORD)
    assert done.code == 0, done.stderr
    return person
