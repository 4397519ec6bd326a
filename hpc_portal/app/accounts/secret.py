"""Secrets that are shown once and kept as their hash: tokens and session cookies."""

import hashlib
import secrets
import string

TOKEN_PREFIX = "hpc_"  # noqa: S105 - what a token starts with, so that scanners and people recognise it

_PLAIN_LETTERS = "".join(sorted({*string.ascii_lowercase, *string.digits} - set("ilo01")))


def new_secret(prefix: str = "") -> str:
    """256 random bits as URL-safe text."""
    return prefix + secrets.token_urlsafe(32)


def new_password() -> str:
    """79 random bits, in letters that nobody takes for others: an administrator may have to read them out."""
    return "-".join("".join(secrets.choice(_PLAIN_LETTERS) for _ in range(4)) for _ in range(4))


def hash_secret(secret: str) -> str:
    """SHA-256, hexadecimal. Enough for random secrets, which nobody can guess; passwords need argon2."""
    return hashlib.sha256(secret.encode()).hexdigest()
