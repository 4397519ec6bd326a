"""Static files: found, compressed, cached for ever, and those of others unchanged."""

import asyncio
import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from hpc_portal.web.assets import FOLDER, Assets

VENDOR = FOLDER / "vendor"


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes


def _ask(assets: Assets, path: str, *, accept_encoding: str = "", method: str = "GET") -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept-encoding", accept_encoding.encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "root_path": ""}
    asyncio.run(assets(scope, receive, send))
    body = b"".join(message["body"] for message in sent[1:])
    return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_text("body { color: red }" * 100)
    (tmp_path / "a.css.br").write_bytes(b"brotli")
    (tmp_path / "f.png").write_bytes(b"picture")
    return tmp_path


def test_a_current_address_is_cached_for_ever_and_an_old_one_is_not(folder: Path) -> None:
    assets = Assets(folder, prefix="")
    fresh = _ask(assets, assets.url("a.css"))
    assert fresh.status == 200
    assert fresh.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert fresh.headers["content-type"].startswith("text/css")
    assert _ask(assets, "/0123456789ab/a.css").headers["cache-control"] == "no-cache"


def test_the_smallest_encoding_that_the_browser_takes_is_sent(folder: Path) -> None:
    assets = Assets(folder, prefix="")
    best = _ask(assets, assets.url("a.css"), accept_encoding="gzip, deflate, br;q=0.9")
    assert (best.headers["content-encoding"], best.body) == ("br", b"brotli")
    older = _ask(assets, assets.url("a.css"), accept_encoding="gzip")
    assert gzip.decompress(older.body) == (folder / "a.css").read_bytes()
    assert older.headers["vary"] == "accept-encoding"
    plain = _ask(assets, assets.url("a.css"))
    assert "content-encoding" not in plain.headers
    assert plain.body == (folder / "a.css").read_bytes()
    assert _ask(assets, assets.url("f.png"), accept_encoding="gzip").body == b"picture"


@pytest.mark.parametrize("path", ["/x/../../../etc/passwd", "/x/", "/", "/x/a.css.br", "/x/%2e%2e/a.css"])
def test_nothing_but_the_files_of_the_folder_is_served(folder: Path, path: str) -> None:
    assert _ask(Assets(folder, prefix=""), path).status == 404


def test_files_can_only_be_read(folder: Path) -> None:
    assert _ask(Assets(folder, prefix=""), "/x/a.css", method="POST").status == 405


def test_a_changed_file_changes_every_address(folder: Path) -> None:
    before = Assets(folder).url("f.png")
    (folder / "a.css").write_text("body { color: blue }")
    assert Assets(folder).url("f.png") != before


def test_vendored_files_are_the_ones_of_the_manifest() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    notice = (VENDOR / "THIRD-PARTY.md").read_text()
    stored = {path.name for path in VENDOR.iterdir() if path.suffix not in {".br", ".json", ".md"}}
    assert stored == set(manifest)
    for name, facts in manifest.items():
        digest = hashlib.sha384((VENDOR / name).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == facts["sha384"], name
        assert f"## {facts['package']} {facts['version']} ({facts['licence']})" in notice
