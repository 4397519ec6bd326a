"""What was asked of a job under way, as its page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc_portal.app.jobs.journal import ChangeRecord
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState
from hpc_portal.web.language import Language
from schedulers.refusals import say_refusal
from schedulers.units import format_walltime
from workloads.template import N_

CHANGES = {
    ChangeKind.HOLD: N_("Hold"),
    ChangeKind.RELEASE: N_("Release"),
    ChangeKind.REQUEUE: N_("Requeue"),
    ChangeKind.WALLTIME: N_("Time limit"),
    ChangeKind.NICE: N_("Priority (nice)"),
    ChangeKind.CANCEL_TASKS: N_("Cancel tasks"),
}
"""What kinds of changes are called."""

_REFUSALS_SHOWN_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One wish that is still open, or was refused lately."""

    what: str
    by: str
    at: datetime
    is_refused: bool
    refusal: str


def show_changes(records: Sequence[ChangeRecord], language: Language, *, now: datetime) -> list[ShownChange]:
    """Those that the reader should know of, newest first: of refusals only what nothing newer made idle."""
    shown = []
    decided: set[ChangeKind] = set()
    for record in records:
        is_refused = record.state is ChangeState.REFUSED
        is_fresh = record.decided_at is not None and now - record.decided_at < _REFUSALS_SHOWN_FOR
        if record.decided_at is None or (is_refused and is_fresh and record.kind not in decided):
            refusal = say_refusal(language.text(record.refusal), language.code) if record.refusal else ""
            what = f"{language.gettext(CHANGES[record.kind])} {_value(record)}".rstrip()
            shown.append(ShownChange(what, record.requested_by, record.requested_at, is_refused, refusal))
        if record.decided_at is not None:
            decided.add(record.kind)
    return shown


def _value(record: ChangeRecord) -> str:
    match record.kind:
        case ChangeKind.WALLTIME:
            return format_walltime(record.facts["walltime_seconds"])
        case ChangeKind.NICE:
            return str(record.facts["nice"])
        case ChangeKind.CANCEL_TASKS:
            return str(record.facts["tasks"])
        case _:
            return ""
