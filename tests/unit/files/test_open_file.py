"""What a job left behind is never trusted: no link, no way out, no device."""

import os
import socket
from pathlib import Path

import pytest

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import EntryKind, list_files
from hpc_portal.app.files.open_file import open_file, open_folder
from hpc_portal.app.files.read_file import read_file

WORKSPACE = "uni/vlsi/lan/job"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with a file, a folder, and a secret outside of it."""
    (tmp_path / "secret").write_text("outside")
    home = tmp_path / "root" / WORKSPACE
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "a.txt").write_text("inside")
    return home


def read(home: Path, path: str) -> str:
    root = home.parents[3]
    with open_file(root, WORKSPACE, path) as descriptor:
        return os.read(descriptor, 100).decode()


def test_a_regular_file_is_opened(home: Path) -> None:
    assert read(home, "sub/a.txt") == "inside"
    assert read(home, "./sub//a.txt") == "inside"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "sub",
        "missing",
        "sub/missing",
        "../../../../../secret",
        "sub/../sub/a.txt",
        "/etc/passwd",
        "sub/a.txt/x",
        "sub/a.txt\0",
        "x" * 300,
    ],
)
def test_every_path_that_is_no_file_of_the_workspace_is_refused(home: Path, path: str) -> None:
    with pytest.raises(FileNotInWorkspace):
        read(home, path)


def test_links_are_refused_at_every_step(home: Path, tmp_path: Path) -> None:
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "inner").symlink_to("sub/a.txt")
    (home / "door").symlink_to(tmp_path)
    for path in ("link", "inner", "door/secret"):
        with pytest.raises(FileNotInWorkspace):
            read(home, path)
    with pytest.raises(FileNotInWorkspace), open_folder(home.parents[3], WORKSPACE, "door"):
        pass


def test_a_workspace_that_became_a_link_is_refused(home: Path, tmp_path: Path) -> None:
    home.rename(home.with_name("moved"))
    home.symlink_to(tmp_path)
    with pytest.raises(FileNotInWorkspace):
        read(home, "secret")


def test_pipes_and_sockets_are_refused_without_waiting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(home / "pipe")
    monkeypatch.chdir(home)  # socket addresses are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path in ("pipe", "socket"):
            with pytest.raises(FileNotInWorkspace):
                read(home, path)


def test_a_listing_names_what_everything_is_and_pages_by_name(home: Path, tmp_path: Path) -> None:
    os.mkfifo(home / "pipe")
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "b.txt").write_text("12345")
    root = home.parents[3]

    first = list_files(root, WORKSPACE, limit=3)
    rest = list_files(root, WORKSPACE, after=first.next_after or "", limit=3)

    assert [(entry.name, entry.kind, entry.size_bytes) for entry in first.entries + rest.entries] == [
        ("b.txt", EntryKind.FILE, 5),
        ("link", EntryKind.LINK, 0),
        ("pipe", EntryKind.OTHER, 0),
        ("sub", EntryKind.FOLDER, 0),
    ]
    assert rest.next_after is None
    assert [entry.path for entry in list_files(root, WORKSPACE, "sub").entries] == ["sub/a.txt"]


def test_a_file_that_grows_is_sent_up_to_the_size_that_was_promised(home: Path) -> None:
    opened = read_file(home.parents[3], WORKSPACE, "sub/a.txt")
    with (home / "sub" / "a.txt").open("a") as file:
        file.write(" and more")

    assert opened.size_bytes == 6
    assert b"".join(opened.pieces) == b"inside"
