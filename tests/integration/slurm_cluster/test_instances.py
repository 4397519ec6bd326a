"""Several clusters live side by side, and nothing is left of one that ended, however it ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.slurm_cluster import daemons
from scripts.slurm_cluster.binds import Bind
from scripts.slurm_cluster.errors import ClusterFailed, NotRunning
from scripts.slurm_cluster.instance import Instance, find_instance, folder_of, running_instance
from scripts.slurm_cluster.lifecycle import bring_up
from scripts.slurm_cluster.namespaces import take_down
from scripts.slurm_cluster.privilege import run_as_root
from tests.slurm import running_cluster

_PATIENCE_SECONDS = 60


def traces_of(name: str, pid_namespace: str) -> list[str]:
    """Whatever of an instance can be found on this machine."""
    namespaces = run_as_root("sh", "-c", "readlink /proc/[0-9]*/ns/pid || true").split()
    folder = folder_of(name)
    cgroup = Path("/sys/fs/cgroup/memory") / folder.name
    return [
        *(namespace for namespace in namespaces if namespace == pid_namespace),
        *(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line),
        *(str(path) for path in (folder, cgroup) if path.exists()),
    ]


def pid_namespace_of(instance: Instance) -> str:
    return instance.run("readlink", "/proc/self/ns/pid").strip()


def jobs_of(instance: Instance) -> list[str]:
    return instance.run("squeue", "--noheader", "--format=%j").split()


def test_two_clusters_know_nothing_of_each_other(slurm: Instance) -> None:
    with running_cluster() as other:
        assert abs(other.guard_port - slurm.guard_port) >= len(daemons.daemons_of(slurm)) - 2
        slurm.run("sbatch", "--hold", "--job-name=here", "--wrap=true", user="alice", cwd=slurm.workspace)
        other.run("sbatch", "--hold", "--job-name=there", "--wrap=true", user="bob", cwd=other.workspace)
        assert (jobs_of(slurm), jobs_of(other)) == (["here"], ["there"])
        assert slurm.jwt_key() != other.jwt_key()
    assert jobs_of(slurm) == ["here"]


def test_nothing_is_left_of_a_cluster_that_was_stopped_in_the_middle_of_its_work() -> None:
    with running_cluster() as cluster:
        cluster.run("sbatch", "--wrap=sleep 600", user="alice", cwd=cluster.workspace)
        namespace = pid_namespace_of(cluster)
        assert namespace in traces_of(cluster.name, namespace)
    assert traces_of(cluster.name, namespace) == []
    with pytest.raises(NotRunning):
        running_instance(cluster.name)


def test_nothing_is_left_of_a_cluster_whose_test_process_was_killed() -> None:
    code = (
        "import time\n"
        "from tests.slurm import running_cluster\n"
        "with running_cluster() as cluster:\n"
        "    print(cluster.name, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        namespace = pid_namespace_of(running_instance(name))
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left := traces_of(name, namespace):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_name_can_be_used_again_and_a_running_one_is_returned_as_it_is() -> None:
    name = f"again-{os.getpid()}"
    first = bring_up(name, people=())
    try:
        assert bring_up(name) == first
    finally:
        take_down(first)
    take_down(first)
    second = bring_up(name, people=())
    try:
        assert second.keeper_pid != first.keeper_pid
        assert find_instance(name) == second
    finally:
        take_down(second)


def test_a_cluster_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    name = f"broken-{os.getpid()}"
    with pytest.raises(ClusterFailed, match="does-not-exist"):
        bring_up(name, binds=[Bind(tmp_path / "does-not-exist")])
    assert traces_of(name, "") == []


def test_a_daemon_that_cannot_start_shows_its_log(slurm: Instance) -> None:
    daemons.stop(slurm, "slurmdbd")
    slurm.run("mv", "/etc/slurm/slurmdbd.conf", "/etc/slurm/away")
    try:
        with pytest.raises(ClusterFailed, match=r"slurmdbd died(.|\n)*slurmdbd.conf"):
            daemons.start(slurm, "slurmdbd")
    finally:
        slurm.run("mv", "/etc/slurm/away", "/etc/slurm/slurmdbd.conf")
    daemons.start(slurm, "slurmdbd")


def test_jobs_read_and_write_the_folders_they_were_given_and_no_more(tmp_path: Path) -> None:
    readable, writable = tmp_path / "readable", tmp_path / "writable"
    for folder in (readable, writable):
        folder.mkdir()
        folder.chmod(0o777)
    (readable / "input").write_text("42")
    with running_cluster([Bind(readable), Bind(writable, is_writable=True)]) as cluster:
        cluster.run("cp", str(readable / "input"), str(writable / "output"), user="alice")
        assert (writable / "output").read_text() == "42"
        assert (writable / "output").stat().st_uid == 5001
        refused = cluster.run("sh", "-c", f"touch {readable}/more 2>&1 || true", user="alice")
        assert "Read-only file system" in refused
