"""What a form says that a token is good for; what is no choice is refused, never made into another one."""

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.tables import TokenScope


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
