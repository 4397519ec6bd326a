"""What can go wrong before it is known who asks.

PortalError
└── AuthError
    ├── SignInRequired     no identity, or one that is no longer valid
    ├── CrossSiteRequest   a browser sent it, but not from a page of ours
    ├── IdentityUnavailable   the identity provider did not answer as it should
    ├── ScopeTooSmall      an API token that is good for less than this
    └── TooManyAttempts    sign-in failed too often; says when to try again
"""

from hpc_portal.app.errors import PortalError


class AuthError(PortalError):
    """Base of everything that is refused before a verb is called."""


class SignInRequired(AuthError):
    """No identity came with the request, or one that is no longer valid."""

    def __init__(self) -> None:
        super().__init__("Sign in first. Your session or token is missing, has expired or was revoked.")


class CrossSiteRequest(AuthError):
    """A browser sent this request, but not from a page of ours that this person opened."""

    def __init__(self) -> None:
        super().__init__(
            "This request did not come from a page of the portal. Reload the page and try again."
        )


class IdentityUnavailable(AuthError):
    """The identity provider cannot be reached, or its answer proved nothing; the log says what."""

    def __init__(self) -> None:
        super().__init__("The city's identity did not answer as it should. Try again in a moment.")


class ScopeTooSmall(AuthError):
    """The API token is good for less than this request."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This token is good for “{scope}” only. Use another one, or sign in.")
        self.scope = scope


class TooManyAttempts(AuthError):
    """Sign-in failed too often for this name from this address."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many failed sign-ins. Try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds
