"""What one look of the doctor found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    WELL = "well"
    DOUBT = "doubt"
    """Works, but somebody should look at it."""
    WRONG = "wrong"
    """Something that people need does not work, or will not for long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: at what, how it is, and in a sentence what was seen and what to do."""

    about: str
    level: Level
    said: str


def well(about: str, said: str) -> Finding:
    """All is as it should be."""
    return Finding(about, Level.WELL, said)


def doubt(about: str, said: str) -> Finding:
    """Somebody should look at it."""
    return Finding(about, Level.DOUBT, said)


def wrong(about: str, said: str) -> Finding:
    """It does not work."""
    return Finding(about, Level.WRONG, said)
