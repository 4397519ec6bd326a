"""Post one notice to a webhook: to the address that was looked at, without redirects, within a bound of time.

Only the status of the answer is read: neither its size nor what it says can do anything here.
"""

import asyncio
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from hpc_portal.app.notices.webhook_address import AddressRefused, Network, find_target

_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the portal may go, whom it trusts, and how long it waits."""

    trusted: ssl.SSLContext
    networks: Collection[Network] = ()
    timeout_seconds: float = 10.0
    """For all of one try, from the look-up of the name to the status of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try."""

    status: int | None = None
    problem: str = ""
    is_gone: bool = False
    """The receiver says that nobody will ever listen there again (410)."""

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it: any 2xx."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


async def post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> Answer:
    """One try; an answer whatever happens."""
    try:
        async with asyncio.timeout(reach.timeout_seconds):
            return await _post(url, body, headers, reach)
    except TimeoutError:
        return Answer(problem=f"No answer within {reach.timeout_seconds:g} seconds")
    except AddressRefused as error:
        return Answer(problem=str(error))
    except (OSError, UnicodeError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(problem=(str(error) or type(error).__name__)[:_MOST_SAID])


async def _post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> Answer:
    target = await find_target(url, reach.networks)
    async with httpx.AsyncClient(
        verify=reach.trusted, trust_env=False, follow_redirects=False, timeout=httpx.Timeout(None)
    ) as client:
        request = client.build_request(
            "POST",
            target.url,
            content=body,
            headers={**headers, "Host": target.host_header},
            extensions={"sni_hostname": target.host},
        )
        response = await client.send(request, stream=True)
        await response.aclose()
    status = response.status_code
    problem = "" if Answer(status).is_taken else f"HTTP {status}"
    return Answer(status, problem, is_gone=status == HTTPStatus.GONE)
