"""Phases of a job and what an observation changes: pure, no clock, no database."""

from enum import StrEnum


class Phase(StrEnum):
    """Where *we* stand with a job; what the scheduler says is its `state`."""

    ACCEPTED = "accepted"
    """Priced, held and stored; no scheduler has heard of it."""
    DISPATCHING = "dispatching"
    """Claimed by a loop; the scheduler may or may not have the job. See find()."""
    TRACKED = "tracked"
    """The scheduler has it; we follow."""
    ENDED = "ended"
    """The scheduler is done with it; the money is not settled yet."""
    SETTLED = "settled"
    """Charged, released, closed for good."""
    REFUSED = "refused"
    """The scheduler said no; the hold was released."""
