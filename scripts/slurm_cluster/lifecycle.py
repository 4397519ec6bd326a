"""Bring an instance up and take it down."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.slurm_cluster import config, daemons
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed
from scripts.slurm_cluster.instance import Instance, find_instance, folder_of, started_at
from scripts.slurm_cluster.people import EVERYBODY, Person, add_person, administer
from scripts.slurm_cluster.privilege import as_root, run_as_root
from scripts.slurm_cluster.root import need_root

_CHECKOUT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60
_POLL_SECONDS = 0.05
_GRANT = """\
CREATE DATABASE slurm_acct_db;
CREATE USER slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
"""


@dataclass(frozen=True)
class Bind:
    """A folder of the machine that is inside at the same path."""

    path: Path
    is_writable: bool = False


def bring_up(
    name: str,
    *,
    binds: Sequence[Bind] = (),
    people: Sequence[Person] = EVERYBODY,
    lifeline: int | None = None,
) -> Instance:
    """A running cluster whose nodes are idle. One that runs already under this name is returned as it is.

    Args:
        name: Of the instance: its folder follows from it, so two checkouts need two names.
        binds: Further folders that jobs see, besides the instance's own `workspace`.
        people: Who can submit.
        lifeline: The read end of a pipe: when its write end is closed (its owner died), the instance dies.

    Raises:
        ClusterFailed: with the end of the log of what failed; nothing of the instance is left then.
        RootNotBuilt: there is no cached root and it could not be made.
    """
    if running := find_instance(name):
        return running
    folder = make_folder(name)
    try:
        instance = start_keeper(name, folder, need_root(), binds, lifeline)
    except ClusterFailed:
        remove_folder(folder)
        raise
    try:
        start_everything(instance, people)
    except BaseException:
        take_down(instance)
        raise
    return instance


def make_folder(name: str) -> Path:
    """Empty; what a dead instance of the same name left is removed."""
    folder = folder_of(name)
    remove_folder(folder)
    folder.mkdir(mode=0o755)
    for part in ("root", "log", "pids", "socket", "workspace"):
        (folder / part).mkdir()
    (folder / "workspace").chmod(0o1777)
    return folder


def remove_folder(folder: Path) -> None:
    """With what Slurm's users wrote into it."""
    if folder.exists():
        run_as_root("rm", "-rf", "--one-file-system", str(folder))


def start_keeper(
    name: str, folder: Path, root: Path, binds: Sequence[Bind], lifeline: int | None
) -> Instance:
    """The namespaces with their mounts and settings; no daemon yet."""
    wish = {
        "folder": str(folder),
        "root": str(root),
        "binds": [
            [str(folder / "workspace"), "rw"],
            *([str(bind.path), "rw" if bind.is_writable else "ro"] for bind in binds),
        ],
        "has_lifeline": lifeline is not None,
    }
    # setsid --fork: nobody has to wait for the keeper, and no Ctrl-C reaches it.
    command = as_root(
        *("setsid", "--fork", "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child=KILL"),
        *(sys.executable, "-m", "scripts.slurm_cluster.keeper", json.dumps(wish)),
    )
    log = folder / "log" / "keeper.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - our own command line
            command,
            cwd=_CHECKOUT,
            stdin=subprocess.DEVNULL if lifeline is None else lifeline,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as keeper,
    ):
        assert keeper.stdout is not None  # noqa: S101 - we asked for a pipe
        ready = keeper.stdout.readline()
    if not ready:
        raise ClusterFailed("The namespaces of the Slurm cluster could not be set up.", log)
    facts = json.loads(ready)
    started = started_at(facts["pid"])
    if started is None:
        raise ClusterFailed("The keeper of the Slurm cluster died.", log)
    instance = Instance(name, folder, facts["pid"], started, facts["guard"])
    instance.save()
    return instance


def start_everything(instance: Instance, people: Sequence[Person]) -> None:
    """All daemons, then the people. Nodes are given time to register."""
    for name in ("mariadbd", "munged"):
        daemons.launch(instance, name)
    daemons.wait_until_ready(instance, "mariadbd")
    instance.run("mariadb", stdin=_GRANT)
    daemons.start(instance, "munged")
    daemons.start(instance, "slurmdbd")
    administer(instance, "add", "cluster", config.CLUSTER)
    daemons.launch(instance, "slurmctld")
    later = [name for name in daemons.daemons_of(instance) if name.startswith(("slurmd-", "slurmrestd"))]
    for name in later:
        daemons.launch(instance, name)
    for person in people:
        add_person(instance, person)
    for name in ("slurmctld", *later):
        daemons.wait_until_ready(instance, name)
    wait_until_idle(instance)


def wait_until_idle(instance: Instance) -> None:
    """Until every node can take jobs. Those that Slurm set aside are resumed.

    Raises:
        ClusterFailed: one cannot, after a minute.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while set((states := node_states(instance)).values()) != {"idle"}:
        if time.monotonic() > deadline:
            raise ClusterFailed(f"Nodes are not idle: {states}", instance.logs / "slurmctld.log")
        for node, state in states.items():
            if state.startswith(("down", "drain", "drng")):
                resume(instance, node)
        time.sleep(_POLL_SECONDS)


def resume(instance: Instance, node: str) -> None:
    """Let it take jobs again. It may have come back by itself just now."""
    with suppress(CommandFailed):
        instance.run("scontrol", "update", f"NodeName={node}", "State=RESUME")


def node_states(instance: Instance) -> dict[str, str]:
    """The short state of each node, as sinfo says it ("idle", "down*", "mix", "drain")."""
    lines = instance.run("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
    return dict(line.split() for line in lines)


def take_down(instance: Instance) -> None:
    """End its keeper, with which every process and mount of it ends; then remove its folder. Idempotent."""
    deadline = time.monotonic() + _READY_SECONDS
    if instance.is_alive:
        with suppress(CommandFailed):
            run_as_root("kill", "-KILL", str(instance.keeper_pid))
    while instance.is_alive:
        if time.monotonic() > deadline:
            raise ClusterFailed(f"Process {instance.keeper_pid} does not end.")
        time.sleep(_POLL_SECONDS)
    remove_folder(instance.folder)


def default_name() -> str:
    """Of the developer's own instance: one for each checkout."""
    return f"dev-{_CHECKOUT.stat().st_ino:x}"
