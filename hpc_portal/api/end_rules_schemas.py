"""What the rules of ends look like over HTTP."""

from typing import Annotated

from pydantic import Field

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import ReasonBody, Reply
from schedulers.jobstate import JobState


class EndRuleReply(Reply):
    """Whether runs that end so are paid for."""

    state: JobState
    is_charged: bool
    free_seconds_per_job: int | None
    """Of a charged end: so much of a job's time that was lost this way is given back at once."""
    is_default: bool
    """Nobody decided otherwise."""


class EndRuleBody(ReasonBody):
    """How it shall be for runs that are settled from now on."""

    is_charged: Flag
    free_seconds_per_job: Annotated[int | None, Field(ge=0, lt=2**31)] = None
