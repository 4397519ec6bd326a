"""A node's clock is set while a job runs: it used what it used."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from schedulers.dask.messages import Command, Lane, Run
from tests.e2e.chaos.clocks import SEEN_SECONDS, right_clock, sweep
from tests.integration.dask_node.node_under_test import ALICE

START = "from schedulers.dask.executor import main; main()"
SETUP = {
    "user": "alice",
    "path": "/usr/bin:/bin",
    "temporary": "/tmp",  # noqa: S108 - a job's own TMPDIR
    "visible_gpus": "",
    "gpu_indices": [],
    "metered_gpus": [],
    "sample_seconds": 60.0,
}


def test_a_run_takes_as_long_as_it_takes_whatever_becomes_of_the_clock(tmp_path: Path) -> None:
    folder = str(tmp_path)
    command = Command(
        tenant=ALICE,
        argv=("/bin/sh", "-c", "until [ -e go ]; do sleep 0.05; done"),
        environment={},
        workspace=folder,
        working_directory=folder,
        walltime_seconds=600,
        grace_seconds=1.0,
        warning_signal=None,
        warning_seconds_before_end=0,
    )
    run = Run("job/0/0/0", {}, f"{folder}/out", f"{folder}/err", f"{folder}/samples.jsonl")
    clock = right_clock(tmp_path, "node")
    began = time.monotonic()
    with subprocess.Popen(
        [*clock.prefix, sys.executable, "-c", START, json.dumps(SETUP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as executor:
        assert executor.stdin
        assert executor.stdout
        lane = Lane("lane", command, (run,), 1, 64, ())
        executor.stdin.write(json.dumps({"lane": lane.to_json()}).encode() + b"\n")
        executor.stdin.flush()
        told = reports(executor.stdout)
        assert [kind for kind, *_ in (next(told), next(told))] == ["ready", "start"]
        clock.step(5400)
        time.sleep(SEEN_SECONDS)
        (tmp_path / "go").touch()
        kind, _, end = next(told)
        executor.stdin.close()
    sweep()
    assert (kind, end["state"]) == ("end", "COMPLETED")
    assert SEEN_SECONDS <= end["ended_at"] - end["started_at"] <= time.monotonic() - began


def reports(stream: IO[bytes]) -> Iterator[list[Any]]:
    """What the executor says, one by one."""
    for line in stream:
        yield from json.loads(line)
