"""Who we are towards slurmrestd: the ways to come by a token, none of which lets one be printed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class TokenSource(Protocol):
    """Names a cluster user and proves it."""

    def headers(self, user: str) -> Mapping[str, str]:
        """The request headers that make slurmrestd act as this cluster user.

        Raises:
            SchedulerUnavailable: the key or the token cannot be read now.
        """
        ...


class MintedTokens:
    """Short tokens signed with the site's own key (`jwt_hs256.key`), one for each user."""

    def __init__(self, key_file: Path, *, lifetime_seconds: int = 300) -> None:
        raise NotImplementedError

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        raise NotImplementedError


class TokenFile:
    """One token that the site renews in a file; it speaks for its own user only."""

    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        raise NotImplementedError


class ProxyToken:
    """SlurmUser's (or root's) token in a file, used in the name of every user."""

    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def headers(self, user: str) -> Mapping[str, str]:
        """See TokenSource."""
        raise NotImplementedError
