"""Who we are towards slurmrestd: the ways to come by a token, none of which lets one be printed."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from schedulers.errors import SchedulerUnavailable
from schedulers.slurm.errors import SlurmRefused

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?")
_TOKEN = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*")


class TokenSource(Protocol):
    """Names a cluster user and proves it."""

    def headers(self, user: str) -> Mapping[str, str]:
        """The request headers that make slurmrestd act as this cluster user.

        Raises:
            SchedulerUnavailable: the key or the token cannot be read now.
            SlurmRefused: this cannot be the name of a cluster user.
        """
        ...


class MintedTokens:
    """Short tokens signed with the site's own key (`jwt_hs256.key`), one for each user.

    Whoever can read the key can act as anybody on the cluster. A token serves until half of its life is over.
    """

    def __init__(
        self,
        key_file: Path,
        *,
        lifetime_seconds: int = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = _WatchedFile(key_file)
        self._lifetime = lifetime_seconds
        self._clock = clock
        self._minted: dict[str, tuple[float, str]] = {}
        self._minted_with = b""

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        return _headers(user, self._token(_checked_user(user)))

    def _token(self, user: str) -> str:
        now = self._clock()
        key = self._key.content()
        if key != self._minted_with:
            self._minted, self._minted_with = {}, key
        minted_at, token = self._minted.get(user, (float("-inf"), ""))
        if not minted_at <= now < minted_at + self._lifetime / 2:
            self._minted = {
                name: kept for name, kept in self._minted.items() if now < kept[0] + self._lifetime / 2
            }
            token = _mint(key, user, issued_at=int(now), expires_at=int(now) + self._lifetime)
            self._minted[user] = (now, token)
        return token


class TokenFile:
    """Tokens that the site renews in files: one for all (it speaks for its own user), or one for each user.

    A path that holds `{user}`, such as `/run/slurm-tokens/{user}.jwt`, names one file for each user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[Path, _WatchedFile] = {}

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        path = Path(str(self._path).replace("{user}", _checked_user(user)))
        return _headers(user, self._files.setdefault(path, _WatchedFile(path)).token())


class ProxyToken:
    """SlurmUser's (or root's) token in a file, used in the name of every user."""

    def __init__(self, path: Path) -> None:
        self._file = _WatchedFile(path)

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        return _headers(_checked_user(user), self._file.token())


class _WatchedFile:
    """A small secret file, read again when it was replaced or changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._content = b""

    def content(self) -> bytes:
        """Its bytes, as they are now.

        Raises:
            SchedulerUnavailable: it cannot be read, or is empty.
        """
        try:
            stat = self._path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self._content, self._stamp = self._path.read_bytes(), stamp
        except OSError as error:
            message = f"Cannot read the secret for Slurm in {self._path}: {error.strerror}"
            raise SchedulerUnavailable(message) from error
        if not self._content:
            message = f"The secret for Slurm in {self._path} is empty"
            raise SchedulerUnavailable(message)
        return self._content

    def token(self) -> str:
        """Its one word; `SLURM_JWT=...`, as `scontrol token` prints it, is understood, too."""
        word = _token_in(self.content())
        if word is None:
            message = f"{self._path} does not hold a token"
            raise SchedulerUnavailable(message)
        return word


def _token_in(content: bytes) -> str | None:
    """None for anything else than a token: in a header, the HTTP library would quote it in its error."""
    text = content.decode("ascii", errors="replace").strip().removeprefix("SLURM_JWT=")
    return text if _TOKEN.fullmatch(text) else None


def _mint(key: bytes, user: str, *, issued_at: int, expires_at: int) -> str:
    """A JSON web token (RFC 7519), signed with HMAC-SHA256, with the claims that Slurm's auth/jwt reads."""
    claims = {"iat": issued_at, "exp": expires_at, "sun": user}
    signed = b".".join(
        _base64url(json.dumps(part, separators=(",", ":")).encode())
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    signature = hmac.new(key, signed, hashlib.sha256).digest()
    return (signed + b"." + _base64url(signature)).decode("ascii")


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _headers(user: str, token: str) -> Mapping[str, str]:
    return {"X-SLURM-USER-NAME": user, "X-SLURM-USER-TOKEN": token}


def _checked_user(user: str) -> str:
    if not _USER.fullmatch(user):
        message = f"{user!r} cannot be the name of a cluster user"
        raise SlurmRefused(message)
    return user
