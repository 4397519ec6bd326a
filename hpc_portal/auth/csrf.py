"""Cross-site request forgery: what a browser sends with its cookie must come from a page of ours."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request

from hpc_portal.auth.errors import CrossSiteRequest
from hpc_portal.auth.sessions import session_secret

HEADER = "x-csrf-token"
FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SIZE = hashlib.sha256().digest_size


def csrf_token(request: Request) -> str:
    """The token that forms and scripts of this page must send back; "" when no cookie came.

    It is an HMAC under the session's secret, which only this browser and we know. Each reply masks it anew,
    since compressed pages with a constant secret in them can be guessed byte by byte (BREACH).
    """
    secret = session_secret(request)
    if not secret:
        return ""
    mask = secrets.token_bytes(_SIZE)
    return base64.urlsafe_b64encode(mask + _xor(mask, _tag(secret))).decode()


def is_unsafe(request: Request) -> bool:
    """Whether the method may change something."""
    return request.method not in _SAFE


async def refuse_cross_site(request: Request) -> None:
    """Every unsafe request of a browser must come from our own origin, signed in or not.

    Requests that bring their own `Authorization` are let through: no other site can make a browser add it.

    Raises:
        CrossSiteRequest: it came from elsewhere.
    """
    if not is_unsafe(request) or "authorization" in request.headers:
        return
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise CrossSiteRequest
    origin = request.headers.get("origin")
    if origin is not None and not _is_ours(request, origin):
        raise CrossSiteRequest


async def require_csrf_token(request: Request) -> None:
    """Compare the token of an unsafe request that is identified by its cookie.

    Raises:
        CrossSiteRequest: none came, or a wrong one.
    """
    if not is_unsafe(request):
        return
    token = request.headers.get(HEADER)
    if token is None and _is_form(request):
        field = (await request.form()).get(FIELD)
        token = field if isinstance(field, str) else None
    if token is None or not _is_valid(token, session_secret(request)):
        raise CrossSiteRequest


def _is_ours(request: Request, origin: str) -> bool:
    public_url: str = request.app.state.services.settings.public_url
    return urlsplit(origin).netloc in {request.headers.get("host"), urlsplit(public_url).netloc or None}


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}


def _is_valid(token: str, secret: str) -> bool:
    try:
        masked = base64.urlsafe_b64decode(token.encode())
    except ValueError:
        return False
    if len(masked) != 2 * _SIZE:
        return False
    return hmac.compare_digest(_xor(masked[:_SIZE], masked[_SIZE:]), _tag(secret))


def _tag(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"csrf", "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
