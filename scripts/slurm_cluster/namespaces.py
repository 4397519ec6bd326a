"""An instance's namespaces: start the keeper that holds them, end it, and leave nothing of it behind."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.slurm_cluster.binds import CHECKOUT, Bind
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed
from scripts.slurm_cluster.instance import Instance, folder_of, started_at
from scripts.slurm_cluster.privilege import as_root, run_as_root

_END_SECONDS = 60
_CLEAN_SECONDS = 30
_POLL_SECONDS = 0.05
_CLEAN = """
cgroup=/sys/fs/cgroup/memory/"${1##*/}"
if [ -d "$cgroup" ]; then find "$cgroup" -depth -type d -exec rmdir {} ";"; fi
rm -rf --one-file-system "$1"
"""
"""Takes an instance's folder. The only things outside the namespaces are this folder and a memory cgroup."""
_KEEP = f"""
folder=$1
shift
unshare --mount --pid --uts --fork --kill-child=KILL "$@"
set -- "$folder"
{_CLEAN}
"""
"""Waits for the keeper and cleans up after it, whatever ended it."""


def start_keeper(name: str, root: Path, binds: Sequence[Bind], lifeline: int | None) -> Instance:
    """The namespaces with their mounts and settings; no daemon yet.

    Raises:
        ClusterFailed: with what the keeper said; nothing of it is left then.
        NotPrivileged: we are not root and there is no sudo.
    """
    as_root()  # before anything is made: whoever cannot become root hears of it now
    folder = make_folder(name)
    every_bind = {bind.path: bind for bind in (*binds, Bind(folder / "workspace", is_writable=True))}
    wish = {
        "folder": str(folder),
        "root": str(root),
        # A folder before what lies in it, which would be hidden else.
        "binds": [[str(path), "rw" if every_bind[path].is_writable else "ro"] for path in sorted(every_bind)],
        "has_lifeline": lifeline is not None,
    }
    keeper = (sys.executable, "-m", "scripts.slurm_cluster.keeper", json.dumps(wish))
    with subprocess.Popen(  # noqa: S603 - our own command line
        # setsid --fork: nobody has to wait for the keeper, and no Ctrl-C reaches it.
        as_root("setsid", "--fork", "sh", "-c", _KEEP, "sh", str(folder), *keeper),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL if lifeline is None else lifeline,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        assert started.stdout is not None  # noqa: S101 - we asked for a pipe
        answer = started.stdout.readline()
        if not answer.startswith("{"):
            answer += started.stdout.read()
    instance = read_answer(name, folder, answer)
    instance.save()
    return instance


def make_folder(name: str) -> Path:
    """Empty; what a dead instance of the same name left is removed."""
    remove_leftovers(name)
    folder = folder_of(name)
    folder.mkdir(mode=0o755)
    for part in ("root", "log", "pids", "socket", "workspace"):
        (folder / part).mkdir()
    (folder / "workspace").chmod(0o1777)
    return folder


def read_answer(name: str, folder: Path, answer: str) -> Instance:
    """The keeper says JSON when it is ready; anything else is why it is not."""
    try:
        facts = json.loads(answer)
        started = started_at(facts["keeper_pid"])
    except ValueError:
        started = None
    if started is None:
        remove_leftovers(name)
        raise ClusterFailed(f"The namespaces of the Slurm cluster could not be set up:\n{answer}")
    return Instance(name=name, folder=folder, keeper_started=started, **facts)


def take_down(instance: Instance) -> None:
    """End the keeper, with it every process and mount, and wait until all is clean. Idempotent.

    Raises:
        ClusterFailed: a process of it does not end, not even by SIGKILL.
    """
    if instance.is_alive:
        with suppress(CommandFailed):  # it may end by itself first
            run_as_root("kill", "-KILL", str(instance.keeper_pid))
    if not becomes_true(lambda: not instance.is_alive, _END_SECONDS):
        raise ClusterFailed(f"Process {instance.keeper_pid} does not end.")
    # The shell of _KEEP is about to clean up. Only if it was killed as well, we must.
    becomes_true(lambda: not instance.folder.exists(), _CLEAN_SECONDS)
    remove_leftovers(instance.name)


def becomes_true(is_so: Callable[[], bool], seconds: float) -> bool:
    """Look again and again; False when time is up."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def remove_leftovers(name: str) -> None:
    """What a dead instance may have left, with the files that Slurm's users wrote."""
    folder = folder_of(name)
    if folder.exists():
        run_as_root("sh", "-c", _CLEAN, "sh", str(folder))
