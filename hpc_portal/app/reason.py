"""Why something is done: many deeds ask for it, people read it, and it is kept for good."""

from hpc_portal.app.errors import Problem

LONGEST_REASON = 2000


def reason_problem(reason: str, *, is_optional: bool = False) -> Problem | None:
    """A reason is for people: some words, not a book."""
    if len(reason.strip()) > LONGEST_REASON or not (is_optional or reason.strip()):
        return Problem("reason", "Give a reason of 1 to %(most)s characters.", {"most": LONGEST_REASON})
    return None
