"""What lies in a workspace is counted as du(1) counts it, whatever a tenant's jobs do meanwhile."""

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from hpc_portal.app.storage.walk import walk
from quotas.measured_storage import Measured

MIB = 2**20


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "workspaces" / "chips-org" / "chips"
    (folder / "an" / "job-1").mkdir(parents=True)
    return folder


def begin(project: Path, entries_per_turn: int = 2000) -> Generator[None, None, Measured]:
    root = project.parent.parent
    return walk(root, project.relative_to(root).parts, entries_per_turn=entries_per_turn)


def finish(steps: Generator[None, None, Measured]) -> Measured:
    while True:
        try:
            next(steps)
        except StopIteration as over:
            found: Measured = over.value
            return found


def measure(project: Path) -> Measured:
    return finish(begin(project))


def du(project: Path) -> int:
    """What du(1) says: blocks, each file once, no link followed."""
    said = subprocess.run(["/usr/bin/du", "-s", "-B1", project], check=True, capture_output=True, text=True)
    return int(said.stdout.split()[0])


def open_files() -> list[str]:
    """Of this process."""
    return [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]


def write(path: Path, size: int = MIB) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())


def test_it_says_what_du_says(project: Path) -> None:
    for number in range(30):
        write(project / "an" / f"job-{number % 3}" / "results" / f"{number}.log", 1000 * number)
    os.link(project / "an/job-1/results/1.log", project / "an/job-2/again.log")
    (project / "an/job-1/link").symlink_to(project)
    found = measure(project)
    assert found.allocated_bytes == du(project)
    assert (found.entries, found.unreadable) == (1 + 1 + 3 + 3 + 30 + 2, 0)


def test_a_file_with_several_names_counts_once(project: Path) -> None:
    write(project / "an/job-1/wave.vcd")
    before = measure(project).allocated_bytes
    for number in range(5):
        os.link(project / "an/job-1/wave.vcd", project / f"an/wave-{number}.vcd")
    assert measure(project).allocated_bytes - before < MIB


def test_a_sparse_file_counts_what_is_in_it(project: Path) -> None:
    with (project / "an/job-1/disk.img").open("wb") as file:
        file.truncate(2**40)
    assert measure(project).allocated_bytes < MIB


def test_a_link_out_of_the_workspace_is_not_followed(project: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "big", 4 * MIB)
    (project / "an/folder").symlink_to(tmp_path / "elsewhere")
    (project / "an/file").symlink_to(tmp_path / "elsewhere" / "big")
    assert measure(project).allocated_bytes < MIB


@pytest.mark.parametrize("part", ["chips", "chips-org"])
def test_a_project_folder_that_is_a_link_is_not_entered(project: Path, tmp_path: Path, part: str) -> None:
    write(tmp_path / "elsewhere" / "chips" / "big", 4 * MIB)
    folder = project if part == "chips" else project.parent
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path / "elsewhere")
    assert measure(project) == Measured()


def test_a_project_without_a_folder_has_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path / "nowhere" / "chips-org" / "chips") == Measured()


def test_it_looks_at_so_many_entries_at_a_time(project: Path) -> None:
    for number in range(95):
        (project / "an" / str(number)).touch()
    turns = sum(1 for _ in begin(project, entries_per_turn=10))
    assert turns == 9  # 95 files, two folders


def test_what_vanishes_meanwhile_is_left_out(project: Path) -> None:
    for number in range(20):
        write(project / "an" / f"job-{number}" / "file", 10)
    steps = begin(project, entries_per_turn=1)
    for _ in range(12):
        next(steps)
    shutil.rmtree(project / "an")
    assert finish(steps).unreadable == 0


def test_a_folder_replaced_by_a_link_is_left_out(project: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "big", 4 * MIB)
    steps = begin(project, entries_per_turn=1)
    next(steps)  # the folder of the person was read
    shutil.rmtree(project / "an")
    (project / "an").symlink_to(tmp_path / "elsewhere")
    assert finish(steps).allocated_bytes < MIB


def test_a_folder_that_is_moved_away_leads_the_walk_nowhere(project: Path, tmp_path: Path) -> None:
    """Its `..` is another folder now: the walk goes on where it came from."""
    write(project / "an/job-1/deep/inside/file")
    write(project / "an/job-2/file")
    write(tmp_path / "elsewhere" / "big", 4 * MIB)
    whole = measure(project)
    steps = begin(project, entries_per_turn=1)
    while not (project / "gone").exists():
        next(steps)
        if _is_inside(project / "an/job-1/deep/inside"):
            (project / "an/job-1/deep").rename(tmp_path / "elsewhere" / "deep")
            (project / "gone").touch()
    found = finish(steps)
    assert found.allocated_bytes <= whole.allocated_bytes + MIB
    assert found.entries == whole.entries


def test_no_depth_of_folders_uses_up_descriptors(project: Path) -> None:
    folder = os.open(project, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    open_before = len(open_files())
    assert measure(project).entries == 3 + 3000
    assert len(open_files()) == open_before
    subprocess.run(["/bin/rm", "-rf", project], check=True)  # too deep for shutil


def test_a_walk_that_is_given_up_leaves_nothing_open(project: Path) -> None:
    open_before = len(open_files())
    steps = begin(project, entries_per_turn=1)
    next(steps)
    steps.close()
    assert len(open_files()) == open_before


def _is_inside(folder: Path) -> bool:
    """Whether this process has it open."""
    return str(folder.resolve()) in open_files()
