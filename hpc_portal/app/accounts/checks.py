"""What names and passwords must look like."""

import pwd
import re
from collections.abc import Iterable

from hpc_portal.app.errors import InvalidEntry, Problem

MIN_PASSWORD_LENGTH = 12
_MAX_PASSWORD_LENGTH = 1000
"""Hashing a megabyte on request would be a gift to whoever wants us slow."""
_FIRST_PERSONAL_UID = 1000
_LAST_UID = 2**32 - 2
_SLUG = re.compile(r"^[a-z][a-z0-9-]{1,39}$")
_USERNAME = re.compile(r"^[a-z][a-z0-9._-]{1,63}$")
_CLUSTER_USER = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,185}\.[^@\s,;<>\".]{2,}")
_NEVER_CLUSTER_USERS = frozenset(
    {"root", "nobody", "nogroup", "slurm", "munge", "daemon", "postgres", "hpc-portal"}
)


def require(problems: Iterable[Problem | None]) -> None:
    """Let pass when nothing is wrong.

    Raises:
        InvalidEntry: with every problem.
    """
    found = [problem for problem in problems if problem]
    if found:
        raise InvalidEntry(found)


def slug_problem(field: str, text: str) -> Problem | None:
    """Of an organisation's slug or a project's account name: they are folder names and cluster accounts."""
    if _SLUG.match(text):
        return None
    return Problem(field, "Use 2 to 40 lower-case letters, digits and hyphens; begin with a letter.")


def username_problem(text: str) -> Problem | None:
    """Of a name to sign in with."""
    if _USERNAME.match(text):
        return None
    return Problem(
        "username",
        "Use 2 to 64 lower-case letters, digits, dots, hyphens and underscores; begin with a letter.",
    )


def title_problem(field: str, text: str) -> Problem | None:
    """Of a name that people read."""
    if text.strip() and len(text) <= 200 and text.isprintable():  # noqa: PLR2004 - the column's length
        return None
    return Problem(field, "Enter 1 to 200 characters in one line.")


def password_problem(password: str, *, username: str) -> Problem | None:
    """Long, and not the user name: what NIST SP 800-63B asks for; no rules about kinds of characters."""
    if len(password) < MIN_PASSWORD_LENGTH:
        return Problem("password", "Use at least %(least)s characters.", {"least": MIN_PASSWORD_LENGTH})
    if len(password) > _MAX_PASSWORD_LENGTH:
        return Problem("password", "Use at most %(most)s characters.", {"most": _MAX_PASSWORD_LENGTH})
    if username and username in password.lower() and len(password) < len(username) + MIN_PASSWORD_LENGTH // 2:
        return Problem("password", "Do not build it from your user name.")
    return None


def email_problem(text: str) -> Problem | None:
    """Of an address that mail is sent to."""
    if _EMAIL.fullmatch(text) and text.isprintable():
        return None
    return Problem("email", "Enter an address such as lan@example.edu.vn.")


def cluster_user_problem(text: str) -> Problem | None:
    """Of the account that a person's jobs run as: never one that belongs to the system."""
    if not _CLUSTER_USER.match(text):
        return Problem(
            "cluster_user",
            "Use up to 32 lower-case letters, digits, hyphens and underscores; begin with a letter.",
        )
    if text in _NEVER_CLUSTER_USERS or _is_system_account(text):
        return Problem(
            "cluster_user", "%(name)s is an account of the system. Jobs must not run as it.", {"name": text}
        )
    return None


def uid_problem(uid: int) -> Problem | None:
    """Of the number of such an account; those below belong to the system, the last two mean nobody."""
    if _FIRST_PERSONAL_UID <= uid < _LAST_UID:
        return None
    return Problem(
        "uid",
        "Use a number from %(least)s to %(most)s.",
        {"least": str(_FIRST_PERSONAL_UID), "most": str(_LAST_UID - 1)},
    )


def _is_system_account(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid < _FIRST_PERSONAL_UID
    except KeyError:
        return False
