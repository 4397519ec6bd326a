"""The sampler is run by a real bash, on what the kernel tells of processes, or on such files as it writes."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from schedulers.slurm.sampler import sampler

JOB = f"4711{os.getpid()}"
BUSY = "python3 -c 'import time\nend = time.monotonic() + 600\nwhile time.monotonic() < end: pass'"


@contextmanager
def started(
    folder: Path, program: str, *, bin_first: Path | None = None, **places: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A batch script with the sampler, and this program in its place; it is killed at the end."""
    path = f"{bin_first}:{os.environ['PATH']}" if bin_first else os.environ["PATH"]
    environment = {
        "SLURM_JOB_ID": JOB,
        "SLURMD_NODENAME": "n1",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "PATH": path,
    }
    script = f"{sampler(f'{folder}/.hpc/samples-0-0.jsonl', **places)}exec {program}\n"
    with subprocess.Popen(["/bin/bash", "-c", script], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def until_samples(folder: Path, count: int) -> list[dict[str, Any]]:
    """Wait for so many."""
    file = folder / ".hpc/samples-0-0.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.2)
    raise AssertionError(f"{count} samples did not come")


def until_read(fifo: Path) -> int:
    """Wait until somebody reads it; what is written there, he gets."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def until_gone() -> None:
    """Wait until no process of the job is left."""
    deadline = time.monotonic() + 60
    while any(is_of_job(path) for path in Path("/proc").glob("[0-9]*/environ")):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_of_job(environ: Path) -> bool:
    try:
        return f"SLURM_JOB_ID={JOB}".encode() in environ.read_bytes().split(b"\0")
    except OSError:
        return False


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """What Slurm's cgroups look like on a node with cgroup v2."""
    proc, job = tmp_path / "proc", tmp_path / f"cgroup/system.slice/slurmstepd.scope/job_{JOB}"
    (proc / "self").mkdir(parents=True)
    (proc / "uptime").symlink_to("/proc/uptime")
    (proc / "self/cgroup").write_text(f"0::/system.slice/slurmstepd.scope/job_{JOB}/step_batch/user/task_0\n")
    job.mkdir(parents=True)
    (job / "cpu.stat").write_text("usage_usec 90000000\nuser_usec 80000000\nsystem_usec 10000000\n")
    (job / "memory.stat").write_text(f"anon {300 * 2**20}\nfile {900 * 2**20}\nshmem {12 * 2**20}\n")
    return tmp_path


def test_samples_tell_the_cpu_and_memory_of_the_jobs_processes(tmp_path: Path) -> None:
    with started(tmp_path, BUSY):
        samples = until_samples(tmp_path, 2)
    assert all(0 < sample["cpu_percent"] <= 105 for sample in samples), samples
    assert all(2 <= sample["rss_mib"] < 500 for sample in samples)
    assert abs(samples[-1]["at"] - time.time()) < 120
    assert "gpu_percent" not in samples[0]
    until_gone()


def test_a_program_that_is_just_being_loaded_is_sampled_later(tmp_path: Path) -> None:
    """For that moment the kernel tells nothing of its environment."""
    proc, uptime = tmp_path / "proc", tmp_path / "proc/uptime"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/\n")
    os.mkfifo(uptime)
    with started(tmp_path, "sleep 600", proc=str(proc)) as program:
        told = until_read(uptime)
        uptime.unlink()
        uptime.symlink_to("/proc/uptime")
        (proc / str(program.pid)).symlink_to(f"/proc/{program.pid}")
        os.write(told, b"0.01 0.01\n")
        os.close(told)
        (first, *_) = until_samples(tmp_path, 1)
    assert first["cpu_percent"] < 5
    until_gone()


def test_with_cgroups_the_whole_job_on_the_node_is_told(kernel: Path) -> None:
    with started(kernel, "sleep 600", proc=f"{kernel}/proc", cgroups=f"{kernel}/cgroup"):
        (first, *_) = until_samples(kernel, 1)
    assert (first["rss_mib"], first["cpu_percent"]) == (312, 0)
    until_gone()


def test_gpus_are_told_as_nvidia_smi_does(kernel: Path) -> None:
    programs = kernel / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(
        '#!/bin/sh\n[ "$1" = --id=0,1 ] && printf "80, 2048\\n41, 1024\\n[N/A], 7\\n"\n'
    )
    (programs / "nvidia-smi").chmod(0o755)
    places = {"proc": f"{kernel}/proc", "cgroups": f"{kernel}/cgroup"}
    with started(kernel, "sleep 600", bin_first=programs, **places):
        (first, *_) = until_samples(kernel, 1)
    assert (first["gpu_percent"], first["gpu_mib"]) == (60, 3072)
    until_gone()


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere"])
def test_where_nothing_can_be_noted_the_program_does_not_hear_of_it(place: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", f"{sampler(f'{place}/samples.jsonl')}exec sh -c 'echo out; exit 7'\n"],
        check=False,
        capture_output=True,
        env={"SLURM_JOB_ID": JOB, "PATH": os.environ["PATH"]},
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")
    until_gone()


def test_the_program_has_no_child_that_it_did_not_start(tmp_path: Path) -> None:
    """It may wait for all of them."""
    program = 'python3 -c "import os\ntry: os.wait()\nexcept ChildProcessError: raise SystemExit(3)"'
    with started(tmp_path, program) as process:
        assert process.wait(60) == 3
    until_gone()
