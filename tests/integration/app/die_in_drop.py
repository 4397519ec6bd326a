"""A process whose children delete old backups, and kill themselves before each of its steps on the disk."""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

from hpc_portal.app.backup.make_backup import drop_old
from hpc_portal.app.backup.manifest import read_manifest

_STEPS = {"os.rename", "os.remove", "os.rmdir"}
"""What Python itself announces before it does it."""
_FEWEST = 5
"""The folder's name, its three files, and the folder."""


def die_before_each_step(root: Path, newest: Path) -> None:
    """Ends with what the killed ones left; whatever is called a backup in between is a whole one."""
    for steps in itertools.count():
        shutil.copytree(newest, root / f"hpc-portal-2026-10-{steps + 1:02}T183000Z")
        has_died = _dies(root, steps)
        for folder in root.iterdir():
            if not folder.suffix:
                read_manifest(folder)
        if not has_died:
            assert steps >= _FEWEST
            return


def _dies(root: Path, steps: int) -> bool:
    """Whether a child that dies after so many steps had not deleted everything by then."""
    child = os.fork()
    if child == 0:
        _count(steps)
        drop_old(root, keep=1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.WIFSIGNALED(status)


def _count(steps: int) -> None:
    left = steps

    def hook(event: str, _arguments: object) -> None:
        nonlocal left
        if event in _STEPS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
