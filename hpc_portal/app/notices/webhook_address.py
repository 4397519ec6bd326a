"""Where a webhook may go: public addresses over https, and those networks that the site names.

A tenant chooses the address, and the portal stands inside the city's network: what it connects to is the very
address that was looked at, so that a name which is resolved anew to 127.0.0.1 gains nothing.
"""

import asyncio
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from hpc_portal.app.errors import InvalidEntry, Problem
from workloads.template import N_

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

IS_PRIVATE = N_("Webhooks do not go to private addresses.")
NEEDS_HTTPS = N_("A webhook's address starts with https://")
_LONGEST_URL = 500
_PORTS = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 in IPv6, as gateways translate it (RFC 6052): public as it is written, and not where it leads."""


class AddressRefused(Exception):
    """The name leads to where webhooks may not go."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to, and as what."""

    host: str
    """As it is in the URL: for the Host header and the certificate."""
    port: int
    is_https: bool
    path: str
    """With its query."""
    address: Address

    @property
    def url(self) -> str:
        """With the address in place of the name."""
        scheme = "https" if self.is_https else "http"
        literal = f"[{self.address}]" if self.address.version == 6 else str(self.address)  # noqa: PLR2004 - IPv6
        return f"{scheme}://{literal}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The name, with the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.is_https else "http"] else f"{host}:{self.port}"


def check_url(url: str, networks: Collection[Network]) -> str:
    """The URL as it is stored; names are resolved only when something is sent. Pure.

    Raises:
        InvalidEntry: it is none that webhooks may have.
    """
    text = url.strip()
    problem = _problem_of(text, networks)
    if problem:
        raise InvalidEntry([Problem("url", problem)])
    return text


def _problem_of(text: str, networks: Collection[Network]) -> str | None:
    if len(text) > _LONGEST_URL or any(character <= " " or character == "\x7f" for character in text):
        return N_("Give one address without spaces, of at most 500 characters.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except (ValueError, UnicodeError):
        host, port = "", None
    if not host:
        return N_("This is no address. An example: https://hooks.example.vn/hpc")
    if parts.scheme != "https" and not (parts.scheme == "http" and networks):
        return NEEDS_HTTPS
    if parts.username is not None or parts.password is not None:
        return N_("Leave name and password out of the address: the signature proves who sends.")
    return _place_problem(host, port, networks)


def _place_problem(host: str, port: int | None, networks: Collection[Network]) -> str | None:
    if port is not None and port not in _PORTS.values() and port < _FIRST_FREE_PORT:
        return N_("Choose the port 443, or one from 1024 on.")
    literal = _literal(host)
    if literal is not None and not may_go_to(literal, networks):
        return IS_PRIVATE
    return None


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_go_to(address: Address, networks: Collection[Network]) -> bool:
    """Whether it is public, or of a network that the site allows. Pure."""
    real = _real(address)
    if _is_within(real, networks):
        return True
    if isinstance(real, IPv6Address) and (real in _TRANSLATED or real.sixtofour or real.teredo):
        return False
    return real.is_global and not (real.is_multicast or real.is_reserved or real.is_unspecified)


def _is_within(address: Address, networks: Collection[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _real(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


async def find_target(url: str, networks: Collection[Network]) -> Target:
    """Resolve the name, once, and choose the address to connect to, IPv4 first: all networks have it.

    Raises:
        AddressRefused: any of its addresses is where webhooks may not go.
        OSError: the name cannot be resolved.
    """
    parts = urlsplit(url)
    is_https, host = parts.scheme == "https", parts.hostname or ""
    name = host if _literal(host) else host.encode("idna").decode()
    port = parts.port or _PORTS[parts.scheme]
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(where[0]).partition("%")[0]) for *_, where in found]
    if not addresses or not all(may_go_to(address, networks) for address in addresses):
        raise AddressRefused(IS_PRIVATE)
    if not is_https and not all(_is_within(_real(address), networks) for address in addresses):
        raise AddressRefused(NEEDS_HTTPS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(name, port, is_https, path, min(addresses, key=lambda address: address.version))
