"""Secrets that are shown once and kept as their hash: tokens, session cookies, passwords that we make.

Each is made of 32 bytes, a seed: random ones, or those of a form, which makes the same secret if sent again.
"""

import base64
import hashlib
import secrets
import string

SEED_BYTES = 32
TOKEN_PREFIX = "hpc_"  # noqa: S105 - what a token starts with, so that scanners and people recognise it

_PLAIN_LETTERS = "".join(sorted({*string.ascii_lowercase, *string.digits} - set("ilo01")))
_LETTERS_OF_PASSWORD = 16


def new_secret(prefix: str = "", seed: bytes = b"") -> str:
    """256 bits as URL-safe text; random ones without a seed."""
    return prefix + base64.urlsafe_b64encode(seed or secrets.token_bytes(SEED_BYTES)).decode().rstrip("=")


def new_password(seed: bytes = b"") -> str:
    """79 bits, in letters that nobody takes for others: an administrator may have to read them out."""
    rest, letters = int.from_bytes(seed or secrets.token_bytes(SEED_BYTES), "big"), ""
    for _ in range(_LETTERS_OF_PASSWORD):
        rest, letter = divmod(rest, len(_PLAIN_LETTERS))
        letters += _PLAIN_LETTERS[letter]
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def hash_secret(secret: str) -> str:
    """SHA-256, hexadecimal. Enough for random secrets, which nobody can guess; passwords need argon2."""
    return hashlib.sha256(secret.encode()).hexdigest()
