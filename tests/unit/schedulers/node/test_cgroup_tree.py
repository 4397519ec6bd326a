"""Where a node may put the cgroups of its runs: told from files that look like the kernel's."""

from pathlib import Path

import pytest

from schedulers.dask.cgroup import Cgroup
from schedulers.dask.cgroup_tree import NoCgroup, find_base, open_tree


def group(path: Path, *, controllers: str = "cpu memory", processes: str = "", is_root: bool = False) -> Path:
    """A folder with the files that decide."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "cgroup.controllers").write_text(controllers)
    (path / "cgroup.subtree_control").write_text("")
    (path / "cgroup.procs").write_text(processes)
    if not is_root:
        (path / "cgroup.type").write_text("domain\n")
    return path


def proc(folder: Path, *, cgroup: str = "0::/system.slice/hpc.service/main\n", mounts: str = "") -> Path:
    """What /proc/self tells."""
    (folder / "cgroup").write_text(cgroup)
    (folder / "mountinfo").write_text(mounts)
    return folder


def test_root_uses_the_root_of_the_tree(tmp_path: Path) -> None:
    mount = group(tmp_path / "fs", processes="1\n", is_root=True)
    own = group(mount / "system.slice" / "hpc.service", processes="7\n")
    assert find_base(mount, own, is_root=True) == mount


def test_a_service_uses_the_parent_of_its_own_cgroup_if_that_was_delegated(tmp_path: Path) -> None:
    mount = group(tmp_path / "fs", is_root=True)
    service = group(mount / "system.slice" / "hpc.service")
    own = group(service / "main", processes="7\n")
    assert find_base(mount, own, is_root=False) == service


@pytest.mark.parametrize(
    ("controllers", "processes", "reason"),
    [("cpu io", "", "no memory controller"), ("cpu memory", "7\n8\n", "processes live in it")],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, controllers: str, processes: str, reason: str) -> None:
    mount = group(tmp_path / "fs", is_root=True)
    service = group(mount / "hpc.service", controllers=controllers, processes=processes)
    with pytest.raises(NoCgroup, match=reason):
        find_base(mount, group(service / "main"), is_root=False)


def test_a_container_whose_processes_live_in_its_root_has_none(tmp_path: Path) -> None:
    mount = group(tmp_path / "fs", processes="1\n7\n")
    with pytest.raises(NoCgroup, match="processes live in it"):
        find_base(mount, mount, is_root=True)


def test_a_tree_that_is_not_mounted_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoCgroup, match="no cgroup2 file system"):
        open_tree("auto", "/state", proc=proc(tmp_path, mounts="22 1 0:20 / /proc rw - proc proc rw\n"))


@pytest.mark.parametrize("text", ["9:memory:/x\n", "0::/../../other\n"])
def test_a_process_outside_of_what_it_sees_has_none(tmp_path: Path, text: str) -> None:
    mounts = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    with pytest.raises(NoCgroup, match="in no cgroup"):
        open_tree("auto", "/state", proc=proc(tmp_path, cgroup=text, mounts=mounts))


def test_it_can_be_switched_off() -> None:
    with pytest.raises(NoCgroup, match="switched off"):
        open_tree("off", "/state")


def test_a_path_that_is_no_cgroup_is_said(tmp_path: Path) -> None:
    mounts = f"30 1 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    with pytest.raises(NoCgroup, match="No such file"):
        open_tree(str(tmp_path / "absent"), "/state", proc=proc(tmp_path, mounts=mounts))


def test_counters_are_read_and_limits_written(tmp_path: Path) -> None:
    for name, text in (
        ("memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"),
        ("cgroup.events", "populated 1\nfrozen 0\n"),
        ("memory.max", "max"),
        ("memory.oom.group", "0"),
        ("cgroup.kill", ""),
    ):
        (tmp_path / name).write_text(text)
    cgroup = Cgroup(str(tmp_path))
    assert (cgroup.oom_kills(), cgroup.is_populated()) == (2, True)
    cgroup.limit_memory(64)
    cgroup.kill()
    written = {name: (tmp_path / name).read_text()[:8] for name in ("memory.max", "cgroup.kill")}
    assert written == {"memory.max": str(64 * 1024**2), "cgroup.kill": "1"}
    assert (tmp_path / "memory.oom.group").read_text() == "1"
    cgroup.close()


def test_no_limit_is_below_what_the_kernel_itself_needs(tmp_path: Path) -> None:
    for name in ("memory.max", "memory.oom.group"):
        (tmp_path / name).write_text("")
    cgroup = Cgroup(str(tmp_path))
    cgroup.limit_memory(1)
    assert (tmp_path / "memory.max").read_text() == str(8 * 1024**2)
    cgroup.close()
