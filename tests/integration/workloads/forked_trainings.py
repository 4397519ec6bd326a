"""Runs the shipped training again and again, killed at random moments, with PyTorch imported only once.

`python forked_trainings.py WORKSPACE KILLS SEED PROCESSES ...` forks a process for each run in a workspace;
each four arguments are one training. Of one with several processes they meet as torchrun would let them, and
nothing is killed. A run is killed by SIGKILL, SIGTERM or SIGUSR1, some epochs and up to 20 ms after
it started, between whatever two instructions that hits; after the last kill it may go on to its end. Prints
one JSON list for each training: how its runs ended.
"""

import functools
import json
import os
import random
import runpy
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import sklearn.datasets
import torch

PROGRAM = "training/train_digits.py"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1)


def main() -> None:
    # What every run would do first, and would take most of its time: done once, here.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    sklearn.datasets.load_digits = functools.cache(sklearn.datasets.load_digits)
    sklearn.datasets.load_digits()
    for asked in range(1, len(sys.argv), 4):
        workspace, kills, seed, processes = sys.argv[asked : asked + 4]
        os.chdir(workspace)
        if int(processes) > 1:
            ends = train_together(int(processes))
        else:
            ends = train(int(kills), random.Random(int(seed)))  # noqa: S311 - no secret
        print(json.dumps(ends))


def train_together(processes: int) -> list[int]:
    """How each process of one training ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    ranks = [start({**meet, "RANK": str(rank), "LOCAL_RANK": "0"}) for rank in range(processes)]
    return [wait_for(rank) for rank in ranks]


def train(kills: int, chance: random.Random) -> list[int]:
    """How the runs of one training ended; the last of them ended by itself."""
    ends: list[int] = []
    while len(ends) < kills:
        epochs = recorded_epochs() + chance.randint(0, 4)
        ends.append(killed(chance.choice(SIGNALS), epochs, chance.uniform(0, 0.02)))
    return [*ends, wait_for(start())]


def killed(number: signal.Signals, epochs: int, seconds: float) -> int:
    """Start a run, let it record so many epochs and work a little on; how it ended."""
    process = start()
    still_runs = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while recorded_epochs() < epochs and os.waitid(os.P_PID, process, still_runs) is None:
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(process, number)
    return wait_for(process)


def recorded_epochs() -> int:
    metrics = Path("metrics.jsonl")
    return metrics.read_text().count('"event": "epoch"') if metrics.exists() else 0


def start(variables: Mapping[str, str] | None = None) -> int:
    process = os.fork()
    if process:
        return process
    os.environ.update(variables or {})
    sys.argv = [PROGRAM, "training/parameters.json"]
    sys.path.insert(0, "training")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        runpy.run_path(PROGRAM, run_name="__main__")
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:  # noqa: BLE001 - the parent must see a number
        os._exit(70)
    os._exit(0)


def wait_for(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    main()
