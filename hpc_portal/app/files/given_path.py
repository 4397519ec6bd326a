"""Paths that people give to new files and folders: what is refused, and how the rest is written; pure."""

import unicodedata
from pathlib import PurePosixPath

from hpc_portal.app.errors import InvalidEntry, Problem
from workloads.template import N_

MOST_NAME_BYTES = 255
"""What file systems allow."""
MOST_PATH_BYTES = 1024
MOST_FOLDERS = 32
_MISLEADING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make a name look like another one, see UAX #9."""
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, halves of characters, and separators of lines: they break listings and scripts."""

_NO_NAME = N_("This names no file or folder. Give a path such as rtl/top.v.")
_LEAVES = N_("A path is relative to the project's files, without “..” and without “/” in front.")
_LONG_NAME = N_("A name may have at most %(most)s bytes.")
_LONG_PATH = N_("A path may have at most %(most)s bytes.")
_DEEP = N_("A file may lie at most %(most)s folders deep.")
_HIDDEN_MARKS = N_("The name has characters that cannot be seen and mislead: %(characters)s. Remove them.")


def given_path(text: str, *, field: str = "path") -> PurePosixPath:
    """The path as it is kept: composed (NFC), so that Vietnamese names from macOS are found as typed.

    Raises:
        InvalidEntry: it could not be stored, leaves the folder, or would mislead whoever reads it.
    """
    composed = unicodedata.normalize("NFC", text)
    path = PurePosixPath(composed)
    problem = _problem(field, composed, path)
    if problem:
        raise InvalidEntry([problem])
    return path


def _problem(field: str, text: str, path: PurePosixPath) -> Problem | None:
    if path.is_absolute() or ".." in path.parts:
        return Problem(field, _LEAVES)
    if not path.parts:
        return Problem(field, _NO_NAME)
    hidden = sorted({sign for sign in text if sign in _MISLEADING or unicodedata.category(sign) in _BREAKING})
    if hidden:
        return Problem(field, _HIDDEN_MARKS, {"characters": ", ".join(f"U+{ord(one):04X}" for one in hidden)})
    if any(len(part.encode()) > MOST_NAME_BYTES for part in path.parts):
        return Problem(field, _LONG_NAME, {"most": MOST_NAME_BYTES})
    if len(text.encode()) > MOST_PATH_BYTES:
        return Problem(field, _LONG_PATH, {"most": MOST_PATH_BYTES})
    return Problem(field, _DEEP, {"most": MOST_FOLDERS}) if len(path.parts) > MOST_FOLDERS else None
