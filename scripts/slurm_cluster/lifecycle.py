"""Bring an instance up and take it down."""

import time
from collections.abc import Sequence
from contextlib import suppress

from scripts.slurm_cluster import config, daemons
from scripts.slurm_cluster.binds import CHECKOUT, Bind
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed
from scripts.slurm_cluster.instance import Instance, find_instance
from scripts.slurm_cluster.namespaces import start_keeper, take_down
from scripts.slurm_cluster.people import EVERYBODY, Person, administer, record_person, wait_until_known
from scripts.slurm_cluster.root import DEFAULT_SUITE, need_root

_READY_SECONDS = 60
_POLL_SECONDS = 0.05
_GRANT = """\
CREATE DATABASE slurm_acct_db;
CREATE USER slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
"""


def bring_up(
    name: str,
    *,
    binds: Sequence[Bind] = (),
    people: Sequence[Person] = EVERYBODY,
    suite: str = DEFAULT_SUITE,
    lifeline: int | None = None,
) -> Instance:
    """A running cluster whose nodes are idle. One that runs already under this name is returned as it is.

    Args:
        name: Of the instance: its folder follows from it, so two checkouts need two names.
        binds: Further folders that jobs see, besides the instance's own `workspace`.
        people: Who can submit.
        suite: The Debian release whose Slurm it is.
        lifeline: The read end of a pipe: when its write end is closed (its owner died), the instance dies.

    Raises:
        ClusterFailed: with the end of the log of what failed; nothing of the instance is left then.
        RootNotBuilt: there is no cached root and it could not be made.
    """
    if running := find_instance(name):
        return running
    instance = start_keeper(name, need_root(suite), binds, lifeline)
    try:
        start_everything(instance, people)
    except BaseException:
        take_down(instance)
        raise
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
    for person in people:
        record_person(instance, person)
    daemons.launch(instance, "slurmctld")
    later = [name for name in daemons.daemons_of(instance) if name.startswith(("slurmd-", "slurmrestd"))]
    for name in later:
        daemons.launch(instance, name)
    for name in ("slurmctld", *later):
        daemons.wait_until_ready(instance, name)
    for person in people:
        wait_until_known(instance, person)
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


def default_name() -> str:
    """Of the developer's own instance: one for each checkout."""
    return f"dev-{CHECKOUT.stat().st_ino:x}"
