"""A folder is sent as a zip that any tool reads, with nothing of what lies outside."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from hpc_portal.app.errors import FileNotInWorkspace, InvalidEntry
from hpc_portal.app.files import zip_folder as module
from hpc_portal.app.files.zip_folder import zip_folder


def unpack(root: Path, relative: str = "") -> dict[str, bytes]:
    data = b"".join(zip_folder(root, "w", relative))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    home = tmp_path / "w"
    (home / "kết quả/waves").mkdir(parents=True)
    (home / "run.log").write_text("xong\n")
    (home / "kết quả/a.csv").write_text("1,2\n")
    (home / "kết quả/waves/top.fst").write_bytes(bytes(range(256)) * 4096)
    (home / "kết quả/link").symlink_to(tmp_path / "secret")
    (home / "kết quả/folder").symlink_to(tmp_path)
    os.mkfifo(home / "kết quả/pipe")
    return home


def test_all_files_below_are_there_and_nothing_else(home: Path) -> None:
    waves = (home / "kết quả/waves/top.fst").read_bytes()
    assert unpack(home.parent) == {
        "run.log": b"xong\n",
        "kết quả/a.csv": b"1,2\n",
        "kết quả/waves/top.fst": waves,
    }
    assert unpack(home.parent, "kết quả") == {"a.csv": b"1,2\n", "waves/top.fst": waves}


def test_hostile_names_stay_names_and_old_files_get_a_date(home: Path) -> None:
    (home / "kết quả/..\\..\\evil.dll").write_text("x")
    (home / "kết quả/two\nlines").write_text("y")
    os.utime(home / "run.log", (0, 0))
    names = set(unpack(home.parent))
    assert {"kết quả/.._.._evil.dll", "kết quả/two\nlines", "run.log"} < names


def test_what_is_no_folder_or_too_large_is_refused_before_a_byte_is_sent(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("run.log", "no", "../w", "kết quả/folder"):
        with pytest.raises(FileNotInWorkspace):
            zip_folder(home.parent, "w", path)
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with pytest.raises(InvalidEntry, match="more than 2 files"):
        zip_folder(home.parent, "w")


def test_a_large_file_is_never_in_memory_as_a_whole(home: Path) -> None:
    with (home / "big.bin").open("wb") as file:
        file.truncate(200_000_000)
    largest = max(len(piece) for piece in zip_folder(home.parent, "w"))
    assert largest < 2_000_000
