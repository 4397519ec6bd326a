"""What a token is good for, in words and as a form says it: what is no choice is refused."""

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.tables import TokenScope
from workloads.template import N_

SCOPES = {
    TokenScope.EVERYTHING: N_("Everything that I may do"),
    TokenScope.JOBS: N_("Jobs and their files; look at the rest"),
    TokenScope.READ: N_("Look only"),
}
"""Widest first."""


def read_scope(text: str) -> TokenScope:
    """The scope of this name.

    Raises:
        InvalidEntry: there is none.
    """
    try:
        return TokenScope(text)
    except ValueError:
        raise InvalidEntry(
            [
                Problem(
                    "scope", "A token is not good for “%(scope)s”. Choose one of the list.", {"scope": text}
                )
            ]
        ) from None
