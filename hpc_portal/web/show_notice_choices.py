"""Choices of notices as their form shows them, and back from the form."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup
from workloads.template import N_

GROUPS: Mapping[NoticeGroup, tuple[str, str]] = {
    NoticeGroup.REQUESTS: (N_("Requests and refunds"), N_("Submitted, decided, questions about them")),
    NoticeGroup.BUDGETS: (
        N_("Budgets and storage"),
        N_("80 % and 100 % used, ending soon, changed; a project's storage is full"),
    ),
    NoticeGroup.PEOPLE: (N_("Projects and classes"), N_("Suspended, resumed, handed over, seats in classes")),
    NoticeGroup.PRICES: (N_("Prices"), N_("A new price list was published")),
    NoticeGroup.CAMPAIGNS: (N_("My campaigns"), N_("A run of it has finished")),
    NoticeGroup.JOBS_STARTED: (N_("My jobs start"), N_("For all of your jobs, or ask with one job")),
    NoticeGroup.JOBS_ENDED: (N_("My jobs end well"), N_("Completed, or cancelled by somebody")),
    NoticeGroup.JOBS_FAILED: (N_("My jobs fail"), N_("An error, out of time or memory, refused")),
    NoticeGroup.JOBS_NEAR_END: (
        N_("My jobs are near their time limit"),
        N_("Nine tenths of it are over: still time to extend it"),
    ),
}
PACES: Mapping[MailPace, str] = {
    MailPace.OFF: N_("No mail"),
    MailPace.AT_ONCE: N_("At once"),
    MailPace.DAILY: N_("Once a day"),
}


@dataclass(frozen=True, slots=True)
class ShownChoice:
    """One row of the form; texts are translated where they are shown."""

    group: NoticeGroup
    title: str
    hint: str
    choice: Choice


def show_choices(choices: Mapping[NoticeGroup, Choice]) -> list[ShownChoice]:
    """Every group in its order."""
    return [ShownChoice(group, *GROUPS[group], choices[group]) for group in NoticeGroup]


def read_choices(form: Mapping[str, object]) -> dict[NoticeGroup, Choice]:
    """What the form says of each group; ticks that are missing mean no, a pace that is none means no mail."""
    found = {}
    for group in NoticeGroup:
        pace = str(form.get(f"mail-{group}", ""))
        found[group] = Choice(
            on_page=bool(form.get(f"page-{group}")),
            by_mail=MailPace(pace) if pace in set(MailPace) else MailPace.OFF,
            by_webhook=bool(form.get(f"webhook-{group}")),
        )
    return found
