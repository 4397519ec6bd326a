"""The exit codes of both commands; scripts rely on them, so they never change their meaning."""

from enum import IntEnum


class Exit(IntEnum):
    """What the shell sees."""

    OK = 0
    FAILED = 1
    """The job failed (with --wait), or the command itself did."""
    USAGE = 2
    """The command line is wrong."""
    NOT_SIGNED_IN = 3
    """No token, or one that the portal no longer takes."""
    REFUSED = 4
    """Limits, budget, role or validation: asking again without a change will not help."""
    NOT_FOUND = 5
    """No such thing, or none that you may see."""
    UNREACHABLE = 6
    """The portal did not answer."""
