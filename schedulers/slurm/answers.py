"""What a reply of slurmrestd means: data, a no, or nothing learned. Statuses alone do not tell."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schedulers.errors import SchedulerError, SchedulerUnavailable, SubmitUncertain
from schedulers.slurm.errors import EndpointMissing, SlurmRefused, TokenRefused

# Numbers of slurm_errno.h.
INVALID_JOB_ID = 2017
ALREADY_DONE = 2021
JOB_FINISHED = 2084
EMPTY_RESULT = 9003
_TOKEN = frozenset({1007, 6000, 6001, 6004, 6007, 6010, 9008})
"""Protocol authentication error, credential invalid or expired, REST authentication failed."""
_NOTHING_DONE = frozenset(
    {
        11,  # EAGAIN: sbatch waits and tries again, too
        1001,  # no connection to the daemon
        1005,  # the daemons speak different protocol versions: amid an upgrade
        1019,  # connection rejected
        1021,  # connecting took too long
        1025,  # shutting down
        1800,  # no connection to slurmctld
        1804,  # slurmctld asks to back off (rate limit)
        1805,  # slurmctld dropped the connection because of its load
        2007,  # MaxJobCount reached: sbatch waits and tries again, too
        2027,  # a backup slurmctld in standby
        2105,  # submissions are switched off for now
        2131,  # a primary slurmctld in standby
        7000,  # no connection to slurmdbd
        7008,  # the connection to slurmdbd broke
    }
)
_LOST = frozenset({1002, 1003, 1004, 1022, 1023, 1024, 1801, 1802, 1803, 5003, 5004, 5005})
"""Sent to slurmctld or slurmdbd, and no answer of it came."""
_UNKNOWN_URL = frozenset({9006, 9007})
_ADDRESS = re.compile(r"\(0x[0-9a-f]+\)")
"""In some texts Slurm names its own memory, which helps nobody: `slurmdb_qos_add(0x7f9254031) failed`."""
_NOTHING_TO_CHANGE = 304
"""HTTP's "not modified": what was asked for is so already."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One of a reply's `errors`."""

    number: int
    error: str
    description: str

    def __str__(self) -> str:
        texts = [_ADDRESS.sub("", text) for text in (self.description, self.error) if text]
        return ": ".join(dict.fromkeys(texts)) or f"error {self.number}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, read but not yet judged."""

    status: int
    body: Mapping[str, Any] | None
    """None when it was no JSON object."""
    text: str = ""
    """The beginning of a reply that was no JSON object."""
    complaints: tuple[Complaint, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())

    @property
    def reason(self) -> str:
        """What went wrong, in Slurm's own words."""
        return "; ".join(map(str, self.complaints)) or self.text or f"HTTP status {self.status}"

    @property
    def numbers(self) -> frozenset[int]:
        """The error numbers of its complaints."""
        return frozenset(complaint.number for complaint in self.complaints)


def read_answer(status: int, content: bytes) -> Answer:
    """Read a reply's body; text that is not UTF-8 (a job's name, say) spoils nothing else."""
    text = content.decode("utf-8", errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Answer(status, None, text=" ".join(text[:200].split()))
    return Answer(
        status,
        body,
        complaints=tuple(_complaint(entry) for entry in body.get("errors") or ()),
        warnings=tuple(_warning(entry) for entry in body.get("warnings") or ()),
    )


def problem_of(  # noqa: PLR0911 - one line for each meaning
    answer: Answer, *, path: str, user: str
) -> SchedulerError | None:
    """The error that an answer amounts to; None when all went well.

    SubmitUncertain here means that Slurm's daemons lost each other after the request was passed on.
    """
    if answer.status == _NOTHING_TO_CHANGE:
        return None
    is_success = 200 <= answer.status < 300  # noqa: PLR2004 - HTTP's own range
    if is_success and not answer.complaints:
        return None if answer.body is not None else SubmitUncertain(f"unreadable answer: {answer.text}")
    if answer.status in {404, 405} and (not answer.complaints or answer.numbers & _UNKNOWN_URL):
        return EndpointMissing(path)
    if answer.numbers & _TOKEN or answer.status in {401, 403, 407}:
        return TokenRefused(user, answer.reason)
    if answer.numbers & _LOST:
        return SubmitUncertain(answer.reason)
    if answer.numbers & _NOTHING_DONE or answer.status in {429, 503}:
        return SchedulerUnavailable(answer.reason)
    if not answer.complaints and answer.status >= 500:  # noqa: PLR2004 - HTTP's own range
        return SubmitUncertain(answer.reason)
    return SlurmRefused(answer.reason, answer.numbers)


def _complaint(entry: object) -> Complaint:
    if not isinstance(entry, dict):
        return Complaint(0, str(entry), "")
    number = entry.get("error_number")
    return Complaint(
        number=number if isinstance(number, int) else 0,
        error=str(entry.get("error") or ""),
        description=str(entry.get("description") or ""),
    )


def _warning(entry: object) -> str:
    return str(entry.get("description") or "") if isinstance(entry, dict) else str(entry)
