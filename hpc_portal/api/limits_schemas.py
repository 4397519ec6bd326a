"""Bodies and replies about limits."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.app.reason import LONGEST_REASON
from quotas.limits import LimitKind, LimitOwner

GpuType = Annotated[str, StringConstraints(max_length=64)]


class LimitBody(Body):
    """Whose limit, which one, and how much."""

    level: LimitOwner
    """`member` is one person within one project, `user` one person in all of them."""
    organisation: Text = ""
    project: Text = ""
    user: Text = ""
    everybody: Flag = False
    """The default for all of that level who have none of their own; no names then."""
    kind: LimitKind
    gpu_type: GpuType = ""
    """For limits on GPUs: one type; "" for all together."""
    value: Annotated[int, Field(ge=0, lt=2**31)] | None
    """null takes the limit away."""
    reason: Annotated[str, StringConstraints(max_length=LONGEST_REASON)] = ""


class LimitWasReply(Reply):
    """What the limit was before; null when there was none."""

    was: int | None


class SetLimitReply(Reply):
    """One limit as somebody set it."""

    level: LimitOwner
    organisation: str
    project: str
    user: str
    is_default: bool
    kind: LimitKind
    gpu_type: str
    value: int
    set_at: datetime
    may_change: bool


class OtherLimitReply(Reply):
    """What another level would allow."""

    owner_kind: LimitOwner
    owner: str
    value: int
    is_default: bool


class EffectiveLimitReply(Reply):
    """The smallest of all levels, which is the one that holds."""

    kind: LimitKind
    gpu_type: str
    value: int
    level: LimitOwner
    owner: str
    is_default: bool
    raised_by: str
    in_use: int | None
    """At that level, now; null for a limit on a single job."""
    others: list[OtherLimitReply]


class LimitsOfReply(Reply):
    """What one person meets in one project; `user` is "" for the project as a whole."""

    project: str
    user: str
    limits: list[EffectiveLimitReply]
