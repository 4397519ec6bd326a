"""Groups of notices that people choose about, the ways to be told, and what holds until they choose."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from hpc_portal.app.notices.kinds import NoticeKind


class NoticeGroup(StrEnum):
    """What one choice is about."""

    REQUESTS = "requests"
    BUDGETS = "budgets"
    PEOPLE = "people"
    PRICES = "prices"
    CAMPAIGNS = "campaigns"
    JOBS_STARTED = "jobs.started"
    """Of this and the next three: for all of one's jobs. Who asks with a job (sbatch --mail-type) is told
    of that one, whatever they chose here."""
    JOBS_ENDED = "jobs.ended"
    JOBS_FAILED = "jobs.failed"
    JOBS_NEAR_END = "jobs.near_end"


class MailPace(StrEnum):
    """Whether notices come by mail, and how."""

    OFF = "off"
    AT_ONCE = "at_once"
    DAILY = "daily"
    """One mail each morning with all of the day before."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How somebody wants to be told of one group."""

    on_page: bool
    by_mail: MailPace
    by_webhook: bool
    """Where they have set one up."""

    @property
    def is_any(self) -> bool:
        """Whether they want to be told at all."""
        return self.on_page or self.by_webhook or self.by_mail is not MailPace.OFF


_ALL_WAYS = Choice(on_page=True, by_mail=MailPace.AT_ONCE, by_webhook=True)
_NOT_AT_ALL = Choice(on_page=False, by_mail=MailPace.OFF, by_webhook=False)

DEFAULTS: Mapping[NoticeGroup, Choice] = {
    NoticeGroup.REQUESTS: _ALL_WAYS,
    NoticeGroup.BUDGETS: _ALL_WAYS,
    NoticeGroup.PEOPLE: _ALL_WAYS,
    NoticeGroup.PRICES: _ALL_WAYS,
    NoticeGroup.CAMPAIGNS: replace(_ALL_WAYS, by_mail=MailPace.OFF),
    NoticeGroup.JOBS_STARTED: _NOT_AT_ALL,
    NoticeGroup.JOBS_ENDED: _NOT_AT_ALL,
    NoticeGroup.JOBS_FAILED: _NOT_AT_ALL,
    NoticeGroup.JOBS_NEAR_END: _NOT_AT_ALL,
}

_MEMBERS: Mapping[NoticeGroup, tuple[NoticeKind, ...]] = {
    NoticeGroup.REQUESTS: (
        NoticeKind.REQUEST_SUBMITTED,
        NoticeKind.REQUEST_UNDER_REVIEW,
        NoticeKind.REQUEST_APPROVED,
        NoticeKind.REQUEST_PARTLY_APPROVED,
        NoticeKind.REQUEST_DENIED,
        NoticeKind.REQUEST_RETURNED,
        NoticeKind.REQUEST_WITHDRAWN,
        NoticeKind.REFUND_RAISED,
        NoticeKind.REFUND_APPROVED,
        NoticeKind.REFUND_PARTLY_APPROVED,
        NoticeKind.REFUND_DENIED,
    ),
    NoticeGroup.BUDGETS: (
        NoticeKind.ALLOCATION_SUSPENDED,
        NoticeKind.ALLOCATION_RESUMED,
        NoticeKind.ALLOCATION_CLOSED,
        NoticeKind.ALLOCATION_INCREASED,
        NoticeKind.ALLOCATION_REDUCED,
        NoticeKind.ALLOCATION_EXTENDED,
        NoticeKind.BUDGET_CARRIED_OVER,
        NoticeKind.ALLOCATION_ENDS_SOON,
        NoticeKind.ALLOCATION_ENDED,
        NoticeKind.BUDGET_USED,
        NoticeKind.STORAGE_USED,
        NoticeKind.STORAGE_FULL,
    ),
    NoticeGroup.PEOPLE: (
        NoticeKind.TENANT_SUSPENDED,
        NoticeKind.TENANT_RESUMED,
        NoticeKind.TENANT_CLOSED,
        NoticeKind.LEADERSHIP_HANDED_OVER,
        NoticeKind.SEAT_GIVEN,
        NoticeKind.CLASS_ENDED,
    ),
    NoticeGroup.PRICES: (NoticeKind.PRICES_PUBLISHED,),
    NoticeGroup.CAMPAIGNS: (NoticeKind.CAMPAIGN_FINISHED,),
    NoticeGroup.JOBS_STARTED: (NoticeKind.JOB_STARTED,),
    NoticeGroup.JOBS_ENDED: (NoticeKind.JOB_ENDED,),
    NoticeGroup.JOBS_FAILED: (NoticeKind.JOB_FAILED,),
    NoticeGroup.JOBS_NEAR_END: (NoticeKind.JOB_NEAR_END,),
}
_GROUPS = {kind: group for group, kinds in _MEMBERS.items() for kind in kinds}


def group_of(kind: NoticeKind) -> NoticeGroup | None:
    """The group of a kind; None for what nobody can do without."""
    return _GROUPS.get(kind)


def choice_of(
    group: NoticeGroup | None, stored: Choice | None, *, wants_mail: bool = True, is_asked: bool = False
) -> Choice:
    """What holds for a person. Pure.

    Args:
        group: what it is about.
        stored: what they chose for it; None: nothing so far.
        wants_mail: whether they want mails at all where they chose nothing for a group.
        is_asked: they asked for this very notice, when they submitted the job that it is about.
    """
    found = stored or (_ALL_WAYS if group is None or is_asked else DEFAULTS[group])
    if stored is None and not wants_mail:
        found = replace(found, by_mail=MailPace.OFF)
    if is_asked:
        mail = MailPace.AT_ONCE if wants_mail else MailPace.OFF
        return replace(found, on_page=True, by_mail=mail)
    return found
