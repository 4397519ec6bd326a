"""Looks at the identity provider: does it answer, as whom, and does its clock agree with ours?"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from hpc_portal.app.settings import IdentitySettings
from hpc_portal.auth.identity_provider import (
    LEEWAY_SECONDS,
    IdentityProvider,
    IdentityProviderFailed,
    metadata_url,
)
from hpc_portal.cli.doctor.certificates import PATIENCE_SECONDS, look_at_certificate
from hpc_portal.cli.doctor.finding import Finding, Level, doubt, well, wrong
from hpc_portal.cli.language import gettext as _

_HTTPS = 443
_TICK_SECONDS = 1.0
"""The header says whole seconds."""


def look_at_identity(identity: IdentitySettings) -> Iterator[Finding]:
    """Nobody can sign in while anything here is wrong."""
    about = _("Identity provider")
    address = urlsplit(identity.issuer)
    if address.scheme == "https":
        trusted, port = httpx.create_ssl_context(), address.port or _HTTPS
        host = address.hostname or ""
        found = look_at_certificate(about, host, port, trusted, authority="SSL_CERT_FILE")
        yield found
        if found.level is Level.WRONG:
            return
    try:
        asyncio.run(_describe(identity))
    except IdentityProviderFailed as problem:
        yield wrong(
            about, _("{problem}. Is it up, and is HPC_PORTAL_IDENTITY__ISSUER right?", problem=problem)
        )
        return
    yield well(about, _("{issuer} says what it is.", issuer=identity.issuer))
    yield from _clock(about, identity)


async def _describe(identity: IdentitySettings) -> None:
    provider = IdentityProvider(identity)
    try:
        await provider.metadata()
    finally:
        await provider.close()


def _clock(about: str, identity: IdentitySettings) -> Iterator[Finding]:
    """Its tokens say when they were made, and are believed for so long around that."""
    try:
        answer = httpx.get(metadata_url(identity.issuer), timeout=PATIENCE_SECONDS)
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, KeyError, ValueError):
        return  # it answered a moment ago; not every server says what time it is
    apart = max(0.0, abs((theirs - datetime.now(UTC)).total_seconds()) - _TICK_SECONDS)
    said = _("Its clock and this machine's are {seconds} s apart.", seconds=round(apart))
    if apart > LEEWAY_SECONDS:
        yield wrong(
            about, said + " " + _("Its tokens are taken for old, or for not good yet: run chrony on both.")
        )
    elif apart > LEEWAY_SECONDS / 3:
        yield doubt(about, said)
