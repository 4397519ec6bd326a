"""What a form makes secrets of: sent again, it makes the same ones, and none is shown that is not stored."""

import hmac
import secrets

from starlette.requests import Request

from hpc_portal.app.accounts.secret import SEED_BYTES
from hpc_portal.auth import csrf
from hpc_portal.auth.sessions import session_secret

FIELD = "key"
"""Of a form: what tells it from the same form on another page."""


async def seed_of(request: Request) -> bytes:
    """An HMAC over all that the form says, under what its sender is known by; random where it has no key.

    A double click and F5 send the same form. Who goes back and changes something sends another one.
    """
    form = await request.form()
    known_by = request.headers.get("authorization") or session_secret(request)
    if not (known_by and form.get(FIELD)):
        return secrets.token_bytes(SEED_BYTES)
    said = [
        (name, value) for name, value in form.multi_items() if name != csrf.FIELD and isinstance(value, str)
    ]
    return hmac.digest(known_by.encode(), repr((request.url.path, said)).encode(), "sha256")
