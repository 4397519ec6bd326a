"""Processes born inside a cgroup are started as any other; on any writable cgroup2 tree, limits or not."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schedulers.dask.cgroup import Cgroup
from schedulers.dask.start_process import Program, start_process

ROOT = Path(__file__).parents[3]
STARTER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from schedulers.dask.start_process import CannotEnterCgroup, Program, ignore_no_signals, start_process
ignore_no_signals()
facts = json.loads(sys.argv[2])
cgroup = os.open(facts.pop("cgroup"), os.O_RDONLY) if facts["cgroup"] else facts.pop("cgroup")
nothing = os.open(os.devnull, os.O_RDWR)
program = Program(stdin=nothing, stdout=1, stderr=2, **facts)
try:
    pid = start_process(program, cgroup=cgroup)
except (OSError, CannotEnterCgroup) as problem:
    print(type(problem).__name__, getattr(problem, "filename", None))
else:
    print("status", os.waitpid(pid, 0)[1])
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A fresh cgroup in the tree that this machine has, if it lets us."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    made = None
    for place in places:
        try:
            made = Cgroup.make(str(place / f"hpc-test-{uuid.uuid4().hex}"))
        except OSError:
            continue
        break
    if made is None:
        pytest.skip(f"no cgroup can be made: {places or 'no cgroup2 file system is mounted'}")
    yield Path(f"/proc/self/fd/{made.descriptor}").readlink()
    assert made.remove()


@pytest.fixture(params=["in a cgroup", "without"])
def place(request: pytest.FixtureRequest) -> str:
    """Where to start: both ways must look the same to a program."""
    return str(request.getfixturevalue("cgroup")) if request.param == "in a cgroup" else ""


def started(place: str, *argv: str, working_directory: str = "/", **environment: str) -> list[str]:
    """Lines that a small process and the program that it starts print."""
    facts: dict[str, Any] = {
        "argv": argv,
        "environment": {"PATH": "/usr/bin:/bin", **environment},
        "working_directory": working_directory,
        "cgroup": place or None,
    }
    done = subprocess.run(
        [
            "env",
            "--ignore-signal=HUP",
            sys.executable,
            "-I",
            "-S",
            "-c",
            STARTER,
            str(ROOT),
            json.dumps(facts),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_program_runs_with_its_arguments_environment_and_folder(place: str, tmp_path: Path) -> None:
    script = 'echo "$0 $MINE $(pwd)"; exit 3'
    lines = started(place, "sh", "-c", script, "name", working_directory=str(tmp_path), MINE="yes")
    assert lines == [f"name yes {tmp_path}", f"status {3 << 8}"]


def test_a_program_leads_a_session_of_its_own_and_inherits_nothing(place: str) -> None:
    script = (
        "read -r pid _ _ _ _ session _ < /proc/self/stat; test $pid = $session && echo leads; "
        "ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status"
    )
    session, descriptors, ignored, _ = started(place, "bash", "-c", script)
    assert session == "leads"
    assert int(descriptors) <= 4  # three, and the folder that ls reads
    mask = int(ignored.split()[1], 16)
    assert not {
        number for number in signal.valid_signals() if mask >> number - 1 & 1
    }  # glibc keeps 32 and 33


def test_a_program_that_is_not_there_is_an_error(place: str) -> None:
    assert started(place, "no-such-program")[0].startswith("FileNotFoundError")


def test_a_program_that_may_not_be_executed_is_an_error(place: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert started(place, str(tmp_path / "script"))[0].startswith("PermissionError")


def test_a_folder_that_is_not_there_is_an_error(place: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert started(place, "true", working_directory=missing) == [f"FileNotFoundError {missing}"]


def test_the_program_is_in_the_cgroup(cgroup: Path) -> None:
    lines = started(str(cgroup), "cat", "/proc/self/cgroup")
    assert any(line.startswith("0::") and line.endswith(cgroup.name) for line in lines)


def test_a_folder_that_is_no_cgroup_cannot_be_entered(tmp_path: Path) -> None:
    assert started(str(tmp_path), "true")[0].startswith("CannotEnterCgroup")


def test_all_that_lives_in_a_cgroup_ends_with_it(cgroup: Path) -> None:
    made = Cgroup(str(cgroup))
    started(str(cgroup), "sh", "-c", "setsid sleep 600 > /dev/null 2>&1 &")
    assert made.is_populated()
    made.empty()
    assert not made.is_populated()
    made.close()


def test_a_process_can_be_started_from_here_too() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    program = Program(("/bin/true",), {}, "/", nothing, nothing, nothing)
    assert os.waitpid(start_process(program), 0)[1] == 0
    os.close(nothing)
