"""A real Slurm cluster for tests: one of the test process's own, started by the first test that asks.

Ask for the fixture `slurm` (or `slurm_cluster` in fixtures of a wider scope). Nobody else uses this cluster
meanwhile: each process of a run that gets such tests starts its own.
A machine where no cluster can start fails: what the portal promises about Slurm would go untested.

`HPC_PORTAL_SLURM_SUITE=forky` tests with the Slurm of another Debian release: the day that a site upgrades.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pytest

from scripts.slurm_cluster import daemons
from scripts.slurm_cluster.binds import Bind, checkout_and_python
from scripts.slurm_cluster.host_tools import host_tools
from scripts.slurm_cluster.instance import Instance
from scripts.slurm_cluster.lifecycle import bring_up, wait_until_idle
from scripts.slurm_cluster.namespaces import take_down
from scripts.slurm_cluster.root import DEFAULT_SUITE, need_root

_GROUP = "slurm"
_FIXTURE = "slurm_cluster"


def group_by_module(items: list[pytest.Item]) -> None:
    """Send the cluster's tests of one module to one xdist worker: then few workers need a cluster.

    Not all to the same: they mostly wait for Slurm, and in the end the other workers would wait for them.
    A module that runs on several backends is as many groups.
    """
    for item in items:
        if isinstance(item, pytest.Function) and _uses_cluster(item):
            backends = [text for text in map(str, _parameters(item)) if text.startswith(f"{_GROUP}-")]
            item.add_marker(pytest.mark.xdist_group("-".join((_GROUP, item.path.stem, *backends))))


def _uses_cluster(item: pytest.Function) -> bool:
    """By its fixtures; or by a mark, where it asks for the cluster while it runs."""
    is_marked = any(mark.args == (_GROUP,) for mark in item.iter_markers("xdist_group"))
    return is_marked or _FIXTURE in item.fixturenames


def _parameters(item: pytest.Function) -> Sequence[object]:
    return tuple(item.callspec.params.values()) if hasattr(item, "callspec") else ()


@contextmanager
def running_cluster(binds: Sequence[Bind] = ()) -> Iterator[Instance]:
    """A cluster of our own, with a name nobody else has; it dies with this process, whatever ends that.

    Its jobs see this checkout, our Python and this machine's tools, and `binds` besides.
    """
    suite = os.environ.get("HPC_PORTAL_SLURM_SUITE", DEFAULT_SUITE)
    lifeline, owner = os.pipe()
    try:
        instance = bring_up(
            f"test-{uuid4().hex[:8]}",
            binds=[*checkout_and_python(), *host_tools(need_root(suite)), *binds],
            suite=suite,
            lifeline=lifeline,
        )
        try:
            yield instance
        finally:
            take_down(instance)
    finally:
        os.close(lifeline)
        os.close(owner)


def settle(instance: Instance) -> None:
    """All daemons run, no job is left, every node is idle: as the next test wants to find it."""
    if not daemons.is_running(instance, "mariadbd"):
        daemons.stop(instance, "slurmdbd")
    for name in daemons.daemons_of(instance):
        daemons.start(instance, name)
    cancel_all_jobs(instance)
    wait_until_idle(instance)


def cancel_all_jobs(instance: Instance) -> None:
    """Pending, held and running ones, of everybody."""
    jobs = instance.run("squeue", "--noheader", "--all", "--format=%A").split()
    if jobs:
        instance.run("scancel", *sorted(set(jobs)))
