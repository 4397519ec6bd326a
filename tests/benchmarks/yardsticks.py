"""The references that our own figures are divided by, measured in the same run on the same machine."""

import multiprocessing
import os
import time
from pathlib import Path

PROCESSES = 2
"""As many as the cores of the machines that the published figures come from."""


def supervised_launches_per_second(folder: Path, *, launches: int = 4000) -> float:
    """L2: `/bin/true` in its own process group with its own log file, reaped by wait4 with its rusage.

    Bare posix_spawn loops in two processes: whoever supervises jobs cannot be faster.
    """
    share = launches // PROCESSES
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        pool.map(_launch, [(str(folder), "warm", 50)] * PROCESSES)
        began = time.perf_counter()
        pool.map(_launch, [(str(folder), str(number), share) for number in range(PROCESSES)], chunksize=1)
        return share * PROCESSES / (time.perf_counter() - began)


def _launch(order: tuple[str, str, int]) -> None:
    folder, name, count = order
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number in range(count):
        log = f"{folder}/{name}-{number}.log"
        pid = os.posix_spawn(
            "/bin/true",
            ["/bin/true"],
            {},
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)],
            setpgroup=0,
        )
        os.wait4(pid, 0)


def hyperqueue_array_tasks_per_second(folder: Path, *, tasks: int) -> float:
    """HyperQueue's embedded server and worker: one job with as many tasks of `/bin/true`."""
    from hyperqueue import Job, LocalCluster  # noqa: PLC0415 - a development dependency of this one figure
    from hyperqueue.cluster import WorkerConfig  # noqa: PLC0415

    with LocalCluster(server_dir=str(folder)) as cluster:
        cluster.start_worker(WorkerConfig(cores=PROCESSES))
        client = cluster.client()
        warm = Job()
        warm.program(["/bin/true"], stdout=None, stderr=None)
        client.wait_for_jobs([client.submit(warm)])
        job = Job()
        for _ in range(tasks):
            job.program(["/bin/true"], stdout=None, stderr=None)
        began = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        return tasks / (time.perf_counter() - began)


def hyperqueue_single_jobs_per_second(folder: Path, *, jobs: int) -> float:
    """The same, as many jobs of one task each."""
    from hyperqueue import Job, LocalCluster  # noqa: PLC0415 - a development dependency of this one figure
    from hyperqueue.cluster import WorkerConfig  # noqa: PLC0415

    with LocalCluster(server_dir=str(folder)) as cluster:
        cluster.start_worker(WorkerConfig(cores=PROCESSES))
        client = cluster.client()
        began = time.perf_counter()
        submitted = []
        for _ in range(jobs):
            job = Job()
            job.program(["/bin/true"], stdout=None, stderr=None)
            submitted.append(client.submit(job))
        client.wait_for_jobs(submitted)
        return jobs / (time.perf_counter() - began)
