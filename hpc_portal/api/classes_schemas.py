"""Bodies and replies about classes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.api.tenants_schemas import Address
from hpc_portal.app.tenants.change_state import JobsThen
from hpc_portal.app.tenants.class_queries import SeatState
from hpc_portal.app.tenants.seats import MOST_STUDENTS, Share
from schedulers.instant import Instant

Amount = Annotated[int, Field(strict=True, gt=0, lt=2**62)]
Lines = dict[Text, Amount]
"""Đồng under `VND`, TRES-seconds under a TRES."""


class StudentBody(Body):
    """One student: the user name of a member of the organisation, or an address to invite."""

    student: Address
    lines: Lines = Field(default_factory=dict)
    """Of their own; left out: what everybody gets."""

    def share(self) -> Share:
        """As the verb takes it."""
        return Share(self.student, self.lines)


Students = Annotated[list[StudentBody], Field(min_length=1, max_length=MOST_STUDENTS)]


class ClassBody(Body):
    """A class to be."""

    name: Text
    students: Students
    each: Lines = Field(default_factory=dict)
    """What every student without lines of their own gets; left out: an equal part of all that is free."""
    ends_at: Instant | None = None
    """Term end, not included; left out: with the budget itself."""


class StudentsBody(Body):
    """Students who come later."""

    students: Students
    each: Lines = Field(default_factory=dict)


class LinesBody(Body):
    """What to give a student."""

    lines: Lines


class TakeBody(Body):
    """What to take back from a student; without lines, all that is free."""

    lines: Lines | None = None


class JobsThenBody(Body):
    """What becomes of the jobs."""

    jobs: JobsThen = JobsThen.KEEP


class SeatMadeReply(Reply):
    """A seat that was made now; the link is shown once."""

    student: str
    account: str
    link: str


class ClassMadeReply(Reply):
    """The class; no seats when the same Idempotency-Key made it before."""

    id: UUID
    is_new: bool
    seats: list[SeatMadeReply]


class ClassReply(Reply):
    """A class in a list."""

    id: UUID
    name: str
    course: str
    ends_at: datetime
    ended_at: datetime | None
    students: int


class PartReply(Reply):
    """One asset of a part, in TRES-seconds or đồng."""

    granted: int
    available: int
    held: int
    consumed: int


class SeatReply(Reply):
    """A student's seat with what is left of their part."""

    student: str
    account: str
    username: str
    display_name: str
    state: SeatState
    invitation_id: UUID | None
    jobs_under_way: int
    by_asset: dict[str, PartReply]


class ClassDetailsReply(Reply):
    """A class with its students."""

    record: ClassReply
    organisation: str
    seats: list[SeatReply]
    by_asset: dict[str, PartReply]
    course_by_asset: dict[str, PartReply]


class MovedReply(Reply):
    """What went from one part to another; empty when the same Idempotency-Key did it before."""

    lines: dict[str, int]


class ClassOverReply(Reply):
    """What ending a class did."""

    is_new: bool
    returned: dict[str, int]
    jobs_cancelled: int
