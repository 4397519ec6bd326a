"""A look at a file says what it is, shows its beginning, and never pretends that that is all."""

import json
from pathlib import Path

import pytest

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.preview import MOST_BYTES, MOST_ROWS, PreviewKind, preview_bytes, preview_file


def look(data: bytes, name: str, *, size: int | None = None) -> tuple[PreviewKind, bool, str, int]:
    found = preview_bytes(data, size=len(data) if size is None else size, name=name)
    return found.kind, found.is_whole, found.text, len(found.rows)


def test_json_is_laid_out_only_when_it_is_whole_and_right() -> None:
    assert look('{"độ trễ":[1,2]}'.encode(), "a.json") == (
        PreviewKind.TEXT,
        True,
        json.dumps({"độ trễ": [1, 2]}, ensure_ascii=False, indent=2),
        0,
    )
    assert look(b'{"a": ', "a.json") == (PreviewKind.TEXT, True, '{"a": ', 0)
    assert look(b'{"a": 1', "a.json", size=99) == (PreviewKind.TEXT, False, '{"a": 1', 0)
    deep = b"[" * 100_000
    assert look(deep, "deep.json") == (PreviewKind.TEXT, True, deep.decode(), 0)


def test_a_table_shows_whole_rows_and_says_when_there_are_more() -> None:
    found = preview_bytes(b'\xef\xbb\xbfcorner,"slack, ns"\ntt,0.1\nss,-0.', size=99, name="a.CSV")
    assert (found.kind, found.is_whole) == (PreviewKind.TABLE, False)
    assert found.rows == [["corner", "slack, ns"], ["tt", "0.1"]]
    many = b"a\tb\n" * (MOST_ROWS + 1)
    assert look(many, "a.tsv") == (PreviewKind.TABLE, False, "", MOST_ROWS)
    assert look(b"a\tb\n" * MOST_ROWS, "a.tsv") == (PreviewKind.TABLE, True, "", MOST_ROWS)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", PreviewKind.IMAGE),
        (b"RIFF\0\0\0\0WEBPVP8 ", PreviewKind.IMAGE),
        (b"RIFF\0\0\0\0WAVEfmt ", PreviewKind.NOTHING),
        (b"\x7fELF\x02\0", PreviewKind.NOTHING),
        (b"<svg onload=alert(1)>", PreviewKind.TEXT),
        (b"", PreviewKind.TEXT),
        (b"caf\xe9", PreviewKind.TEXT),
    ],
)
def test_the_bytes_decide_what_is_shown_not_the_name(data: bytes, kind: PreviewKind) -> None:
    assert look(data, "figure.png")[0] is kind


def test_a_large_file_is_read_only_at_its_beginning_and_links_are_not_followed(tmp_path: Path) -> None:
    home = tmp_path / "w"
    home.mkdir()
    with (home / "big.log").open("wb") as file:
        file.write("ồ".encode() * 100_000)
        file.truncate(5_000_000_000)
    (home / "link").symlink_to(home / "big.log")
    found = preview_file(tmp_path, "w", "big.log")
    assert (found.kind, found.size_bytes, found.is_whole) == (PreviewKind.TEXT, 5_000_000_000, False)
    assert len(found.text.encode()) <= MOST_BYTES
    assert "\ufffd" not in found.text
    for path in ("link", "../w/big.log", "", "no"):
        with pytest.raises(FileNotInWorkspace):
            preview_file(tmp_path, "w", path)
