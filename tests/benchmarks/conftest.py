"""What benchmarks on a Slurm cluster have in common."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets live below it."""
    path = Path(tempfile.mkdtemp(prefix="hpc-bench-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)
