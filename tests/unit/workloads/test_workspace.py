"""Reading what a tenant wrote."""

import os
from pathlib import Path

import pytest

from workloads.workspace import list_files, read_text


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("another tenant's")
    inside = tmp_path / "workspace"
    (inside / "logs").mkdir(parents=True)
    (inside / "logs/a.log").write_text("Đà Nẵng")
    return inside


def test_a_file_is_read_as_text(workspace: Path) -> None:
    assert read_text(workspace, "logs/a.log", max_bytes=100) == "Đà Nẵng"


def test_no_more_than_the_limit_is_read(workspace: Path) -> None:
    (workspace / "big").write_bytes(b"x" * 1000)
    assert read_text(workspace, "big", max_bytes=10) == "x" * 10


def test_bytes_that_are_no_text_do_no_harm(workspace: Path) -> None:
    (workspace / "binary").write_bytes(b"\xff\x00a")
    assert read_text(workspace, "binary", max_bytes=10) == "\ufffd\0a"


def test_a_linked_file_or_folder_is_no_file(workspace: Path) -> None:
    (workspace / "link").symlink_to(workspace.parent / "secret/key")
    (workspace / "folder").symlink_to(workspace.parent / "secret")
    assert read_text(workspace, "link", max_bytes=10) is None
    assert read_text(workspace, "folder/key", max_bytes=10) is None
    assert list_files(workspace, "folder") == []
    assert list_files(workspace) == []


def test_a_pipe_does_not_block_the_reader(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    assert read_text(workspace, "pipe", max_bytes=10) is None


def test_what_is_missing_is_nothing_yet(workspace: Path) -> None:
    assert read_text(workspace, "logs/b.log", max_bytes=10) is None
    assert read_text(workspace, "no/such/folder", max_bytes=10) is None
    assert read_text(workspace, "logs", max_bytes=10) is None
    assert list_files(workspace / "gone") == []


def test_only_files_are_listed_in_order(workspace: Path) -> None:
    (workspace / "logs/inner").mkdir()
    (workspace / "logs/0.log").touch()
    assert list_files(workspace, "logs") == ["0.log", "a.log"]
