"""Static files: read once, served from memory compressed, cached for ever under a hash of all of them."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"
_COMPRESSED_ALREADY = (".png", ".br")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file with its encodings, the smallest that a browser may accept first."""

    media_type: str
    encodings: tuple[tuple[str, bytes], ...]


class Assets:
    """An ASGI application for one folder.

    A page asks for `/static/<hash>/js/app.js`: the hash is of all files together, so that relative imports
    and `url()`s stay inside it, and a new release makes every address new. An old hash still answers, with
    today's file and without caching, for pages that were open during an upgrade.
    """

    def __init__(self, folder: Path = FOLDER, prefix: str = "/static") -> None:
        self._files = _read(folder)
        digest = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            digest.update(name.encode() + b"\0" + asset.encodings[-1][1])
        self._hash = digest.hexdigest()[:12]
        self._prefix = prefix

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            KeyError: there is no such file.
        """
        self._files[name]
        return f"{self._prefix}/{self._hash}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        asked_hash, _, name = path.partition("/")
        asset = self._files.get(name)
        if asset is None:
            return PlainTextResponse("No such file.", status_code=404)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Only GET and HEAD.", status_code=405, headers={"allow": "GET, HEAD"})
        is_current = asked_hash == self._hash
        accepted = {
            part.partition(";")[0].strip()
            for part in Headers(scope=scope).get("accept-encoding", "").split(",")
        }
        encoding, body = next(
            (name, body) for name, body in asset.encodings if name in accepted or name == "identity"
        )
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if is_current else "no-cache",
            "vary": "accept-encoding",
        }
        if encoding != "identity":
            headers["content-encoding"] = encoding
        return Response(body, media_type=asset.media_type, headers=headers)


def _read(folder: Path) -> dict[str, Asset]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".br":
            found[path.relative_to(folder).as_posix()] = _asset(path)
    return found


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    media_type = guess_type(path.name)[0] or "text/plain"
    encodings = [("identity", content)]
    if path.suffix not in _COMPRESSED_ALREADY:
        encodings.insert(0, ("gzip", _compress(content)))
    twin = path.with_name(path.name + ".br")
    if twin.exists():
        encodings.insert(0, ("br", twin.read_bytes()))
    return Asset(media_type, tuple(encodings))


@cache
def _compress(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
