"""Where the chaos suite keeps a portal: its workspaces lie on a small disk, which can be filled."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.slurm_cluster.binds import Bind
from scripts.slurm_cluster.instance import Instance
from tests.slurm import running_cluster

DISK_MIB = 32


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets live below it."""
    path = Path(tempfile.mkdtemp(prefix="hpc-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A file system that is full after a few MiB; needs root."""
    path = folder / "workspaces"
    path.mkdir(mode=0o711)
    size = f"size={DISK_MIB}m,mode=711"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "chaos", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def slurm_on_disk(disk: Path) -> Iterator[Instance]:
    """A Slurm cluster of this test's own, whose jobs work on the small disk."""
    with running_cluster([Bind(disk, is_writable=True)]) as instance:
        yield instance
