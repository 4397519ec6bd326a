"""What the tests run on a job's Dask cluster: `story.py exit|raise`.

It tells which TCP ports the job's own processes listen on, loses a worker, computes on, waits for the file
`go`, and ends as it is told.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
from distributed import Client


def is_ours(process: psutil.Process) -> bool:
    """A Python process of this job; Slurm's own srun listens, too, for what its ranks print."""
    try:
        same_job = process.environ().get("HPC_JOB_ID") == os.environ["HPC_JOB_ID"]
        return same_job and "python" in Path(process.exe()).name
    except psutil.Error:
        return False


def listening() -> list[tuple[str, int]]:
    """Addresses at which anybody may knock."""
    found = [process.net_connections("tcp") for process in psutil.process_iter() if is_ours(process)]
    return sorted(
        {(one.laddr.ip, one.laddr.port) for many in found for one in many if one.status == psutil.CONN_LISTEN}
    )


def die_once() -> str:
    """Kill the worker that this runs on, the first time."""
    mark = Path("died")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "computed again"


def square(number: int) -> int:
    """Something to compute."""
    return number**2


def main() -> None:
    """The story."""
    with Client() as client:  # type: ignore[no-untyped-call]
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        told = {
            "listening": listening(),
            "scheduler": client.scheduler.address,
            "names": sorted(one["name"] for one in workers),
            "threads": [one["nthreads"] for one in workers],
            "memory_mib": [one["memory_limit"] // 2**20 for one in workers],
            "again": client.submit(die_once).result(),
            "sum": sum(client.gather(client.map(square, range(1001)))),
        }
        Path("told.new").write_text(json.dumps(told))
        Path("told.new").rename("told.json")
        while not Path("go").exists():
            time.sleep(0.05)
    if sys.argv[1] == "raise":
        raise ValueError("seed 42 is unlucky")
    sys.exit(3)


if __name__ == "__main__":
    main()
