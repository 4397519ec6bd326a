"""What is known of the jobs that the portal follows, put together from slurmctld and slurmdbd; no I/O.

Nothing ends because it is missing: a run has ended when one of the two says how, and a run after a requeue
ends only when the attempts before it are known too, so that none of them stays uncharged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import NamedTuple, TypeAlias

from schedulers.array_tasks import TaskSet
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobSnapshot, JobState, StateFlag, TaskSnapshot
from schedulers.protocol import Observation
from schedulers.slurm.read_jobs import Owner, PastRun, Record
from schedulers.slurm.spot_changes import Lines, News, States, spot

RunId: TypeAlias = tuple[int, int]
"""(task_index, attempt)"""


@dataclass(slots=True)
class _Run:
    snapshot: TaskSnapshot
    version: int


@dataclass(slots=True)
class _Known:
    """What matters of a record after it was read."""

    task_index: int | None
    attempt: int
    waits: bool
    has_ended: bool
    reason: str = ""


class _Sum(NamedTuple):
    """What a job's records amount to."""

    was_read: bool = False
    is_lost: bool = False
    """Neither slurmctld nor slurmdbd knows what became of it."""
    waits: bool = False
    pending_reason: str = ""
    is_closed: bool = False
    is_open: bool = True
    """Something of it has not ended."""


@dataclass(slots=True)
class _View:
    """One job."""

    owner: Owner | None = None
    version: int = 0
    was_read: bool = False
    is_lost: bool = False
    sum: _Sum = field(default_factory=_Sum)
    listed: Lines = field(default_factory=dict)
    """How it was listed when it was last read."""
    records: dict[str, _Known] = field(default_factory=dict)
    runs: dict[RunId, _Run] = field(default_factory=dict)
    withheld: dict[RunId, TaskSnapshot] = field(default_factory=dict)
    """Ends that wait for the attempts before them to become known."""
    unexplained: dict[int, float] = field(default_factory=dict)
    """Tasks that left the rest without a record, and since when slurmdbd says that it has none either."""
    cancelled: list[tuple[ArraySpec, datetime]] = field(default_factory=list)
    """Tasks that we cancelled, and when."""
    is_doubtful: bool = True
    """Something was learned of it, and it was not looked yet whether slurmdbd has to be asked."""
    read_at: float = 0.0
    ask_again_at: float = 0.0
    asked: int = 0
    """How often slurmdbd was asked in vain."""

    def may_own(self, owner: Owner) -> bool:
        return self.owner is None or self.owner.may_be(owner)

    def sum_up(self) -> _Sum:
        waiting = [known for known in self.records.values() if known.waits]
        # The rest speaks for an array; a task that was requeued only when there is no rest.
        speaker = min(waiting, key=lambda known: known.task_index is not None, default=None)
        in_doubt = bool(self.withheld or self.unexplained)
        return _Sum(
            was_read=self.was_read,
            is_lost=self.is_lost,
            waits=bool(waiting),
            pending_reason=speaker.reason if speaker else "",
            is_closed=self.was_read and not (waiting or in_doubt),
            is_open=in_doubt or not all(known.has_ended for known in self.records.values()),
        )


UNEXPLAINED_SECONDS, CANCELLED_SECONDS = 600.0, 60.0
"""So long slurmdbd must say that it has no record of a task that left the rest of its array, before that was
cancelled unstarted: slurmctld may still send what it kept. The second where the rest itself was cancelled."""
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
_WAITS = (JobState.PENDING.value,)


class Book:
    """All jobs followed. `version` counts changes: it is the cursor of observations."""

    def __init__(self) -> None:
        self.version = 0
        self._told = 0
        """The version of the last observation that was given out."""
        self._views: dict[str, _View] = {}

    def follow(self, job_ids: Iterable[str]) -> None:
        """Keep track of these from now on."""
        for job_id in job_ids:
            if job_id not in self._views:
                self._views[job_id] = _View()

    def expect(self, job_id: str, owner: Owner) -> None:
        """Keep track of a job that was just submitted or found; what had its number before is dropped."""
        view = self._views.get(job_id)
        if view is None or view.owner is None or view.owner.key != owner.key:
            self._views[job_id] = _View(owner=owner)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Drop these."""
        for job_id in job_ids:
            self._views.pop(job_id, None)

    def owner_of(self, job_id: str) -> Owner | None:
        """Whose job it is; None when that is not known yet."""
        view = self._views.get(job_id)
        return view.owner if view else None

    def observe(self, job_ids: Collection[str], *, since: int | None) -> Observation:
        """What is known, or what of it changed after `since`."""
        after = -1 if since is None else since
        seen: dict[str, JobSnapshot] = {}
        for job_id in job_ids:
            view = self._views.get(job_id)
            if view is None or not view.was_read or view.version <= after:
                continue
            if view.is_lost and since is None:
                continue
            seen[job_id] = JobSnapshot(
                scheduler_job_id=job_id,
                pending_reason=view.sum.pending_reason,
                tasks=tuple(run.snapshot for run in view.runs.values() if run.version > after),
                is_closed=view.sum.is_closed,
            )
        self._told = self.version
        return Observation(cursor=self.version, jobs=seen)

    # What to read

    def spot(self, job_ids: Iterable[str], states: States) -> News:
        """What to read in detail after a light look."""
        news = News()
        for job_id in job_ids:
            view, now = self._views[job_id], states.of(job_id)
            if view.was_read:
                spot(news, job_id, view.listed, now)
            elif now and view.owner and _never_started(job_id, now):
                self._note_waiting(job_id, view, now)
            elif now:
                news.whole.add(job_id)
        return news

    def _note_waiting(self, job_id: str, view: _View, listed: Lines) -> None:
        """A job of ours that only waits has nothing to read but its reason, which is read in its turn."""
        with self._changing(view):
            view.was_read, view.listed = True, listed
            view.records[job_id] = _Known(task_index=None, attempt=0, waits=True, has_ended=False)

    def stale(self, job_ids: Iterable[str], *, now: float, after_seconds: float, most: int) -> list[str]:
        """Waiting jobs whose reason was not read for long, longest first; large arrays wait longer."""
        due = []
        for job_id in job_ids:
            view = self._views[job_id]
            if view.sum.waits:
                age = (now - view.read_at) / (1 + len(view.records) / 50)
                if age > after_seconds:
                    due.append((-age, job_id))
        return [job_id for _, job_id in sorted(due)[:most]]

    def to_account(self, job_ids: Iterable[str], states: States, *, now: float) -> dict[str, str]:
        """Numbers to ask slurmdbd for, with their job: what slurmctld has dropped, and earlier attempts."""
        wanted: dict[str, str] = {}
        for job_id in job_ids:
            view = self._views[job_id]
            is_gone = view.sum.is_open and not states.of(job_id)
            if (view.is_doubtful or is_gone) and view.ask_again_at <= now:
                unclear = list(self._unclear(job_id, view, states))
                view.is_doubtful = bool(unclear)
                wanted.update(dict.fromkeys(unclear, job_id))
        return wanted

    def _unclear(self, job_id: str, view: _View, states: States) -> Iterator[str]:
        if view.unexplained or (not view.was_read and not states.of(job_id)):
            yield job_id
            return
        listed = states.raw_ids(job_id)
        for raw_id, known in view.records.items():
            is_gone = not known.has_ended and raw_id not in listed
            if is_gone or self._lacks_history(view, known.task_index or 0, known.attempt):
                yield raw_id

    @staticmethod
    def _lacks_history(view: _View, task_index: int, attempt: int) -> bool:
        earlier = (view.runs.get((task_index, number)) for number in range(attempt))
        return any(run is None or not run.snapshot.has_ended for run in earlier)

    def has_ended_since(self, version: int, record: Record) -> bool:
        """Whether a record's run ended after this version; slurmdbd may know already what it used."""
        view = self._views.get(record.job_id)
        if view is None or record.run is None:
            return False
        run = view.runs.get((record.run.task_index, record.run.attempt))
        return run is not None and run.version > version and run.snapshot.has_ended

    # What was read

    def take_whole(self, job_id: str, records: Iterable[Record], states: States, *, now: float) -> None:
        """Take in everything that slurmctld has of a job."""
        view = self._views[job_id]
        found = [record for record in records if record.job_id == job_id and view.may_own(record.owner)]
        if not found:
            return
        before, view.listed = view.listed, states.of(job_id)
        view.read_at = now
        with self._changing(view):
            for record in found:
                self._take(view, record)
            self._note_gone(view, before.keys() - view.listed.keys())
            if any(record.task_index is None and record.state.has_ended for record in found):
                self._end_cancelled(view)

    def take_records(self, records: Iterable[Record], news: News, states: States) -> None:
        """Take in single records that changed, and what is listed no more."""
        by_job: dict[str, list[Record]] = {job_id: [] for job_id in {*news.records.values(), *news.gone}}
        for record in records:
            if record.job_id in by_job:
                by_job[record.job_id].append(record)
        for job_id, found in by_job.items():
            view = self._views[job_id]
            view.listed = states.of(job_id)
            with self._changing(view):
                for record in found:
                    if view.may_own(record.owner):
                        self._take(view, record)
                self._note_gone(view, news.gone.get(job_id, ()))

    def expect_cancelled(self, job_id: str, tasks: ArraySpec, *, at: datetime) -> None:
        """We cancelled these tasks: those that leave the rest without a record never started."""
        if view := self._views.get(job_id):
            view.cancelled.append((tasks, at))

    def _note_gone(self, view: _View, gone: Iterable[int | None]) -> None:
        started = {known.task_index for known in view.records.values()}
        for task_index in gone:
            if task_index is None or task_index in started:
                continue
            if not self._note_cancelled(view, task_index):
                view.unexplained.setdefault(task_index, inf)

    def _end_cancelled(self, view: _View) -> None:
        """The rest of an array is over: of what never started, we know those tasks that we cancelled."""
        known = {known.task_index for known in view.records.values()}
        for tasks, at in view.cancelled:
            for task_index in tasks.indices():
                if task_index not in known:
                    self._put(view, TaskSnapshot(task_index, 0, JobState.CANCELLED, ended_at=at))

    def _note_cancelled(self, view: _View, task_index: int) -> bool:
        """A task that never started has ended, if it was us who cancelled it."""
        at = next((at for tasks, at in view.cancelled if task_index in TaskSet([tasks])), None)
        if at is not None:
            self._put(view, TaskSnapshot(task_index, 0, JobState.CANCELLED, ended_at=at))
        return at is not None

    def _take(self, view: _View, record: Record) -> None:
        view.was_read, view.is_lost = True, False
        view.owner = view.owner.seen_as(record.owner) if view.owner else record.owner
        state = record.state
        is_put_back = StateFlag.REQUEUED in state.flags
        view.records[record.raw_id] = _Known(
            task_index=record.task_index,
            attempt=record.attempt,
            # What is put back waits next, before slurmctld says so; what we cannot read may still start.
            waits=state.waits or is_put_back or state.base is JobState.UNKNOWN,
            has_ended=state.has_ended and not is_put_back,
            reason=record.reason,
        )
        if record.task_index is not None:
            view.unexplained.pop(record.task_index, None)
        if record.run is not None:
            self._put(view, record.run)

    def take_past(
        self, wanted: Mapping[str, str], past: Collection[PastRun], states: States, *, now: float
    ) -> None:
        """Take in what slurmdbd answered when it was asked for the numbers in `wanted`."""
        by_job: dict[str, list[PastRun]] = {job_id: [] for job_id in wanted.values()}
        for run in past:
            if run.job_id in by_job and self._views[run.job_id].may_own(run.owner):
                by_job[run.job_id].append(run)
        for job_id, runs in by_job.items():
            view = self._views[job_id]
            with self._changing(view):
                self._take_runs(job_id, view, runs, states)
                self._settle_unexplained(view, runs, now)
                still = list(self._unclear(job_id, view, states))
                view.is_lost = job_id in still and not states.of(job_id) and not runs
            view.asked = view.asked + 1 if still else 0
            pause = min(_FIRST_RETRY_SECONDS * 2**view.asked, _LAST_RETRY_SECONDS)
            view.ask_again_at = now + pause if still else 0.0

    def _take_runs(self, job_id: str, view: _View, runs: list[PastRun], states: States) -> None:
        last = {run.raw_id: run.attempt for run in runs}  # oldest first: the newest stays
        listed = states.raw_ids(job_id)
        for run in runs:
            known = view.records.get(run.raw_id)
            if run.raw_id in listed:
                # slurmctld speaks for the attempt that it has; slurmdbd adds those before, and the usage.
                is_past = known is not None and run.attempt < known.attempt
                if run.run is not None and run.is_certain and (is_past or self._adds_usage(view, run.run)):
                    self._put(view, run.run)
                continue
            if not run.has_ended or not run.is_certain:
                # Neither of the two knows how it ended: nothing is over before slurmdbd has heard of it.
                is_open = (run.task_index, run.attempt) in view.runs
                view.records.setdefault(
                    run.raw_id, _Known(run.task_index, run.attempt, waits=not is_open, has_ended=False)
                )
                continue
            if run.run is not None:
                self._put(view, run.run)
            is_put_back = run.run is not None and StateFlag.REQUEUED in run.run.flags
            if run.attempt == last[run.raw_id] and not is_put_back:
                view.records[run.raw_id] = _Known(run.task_index, run.attempt, waits=False, has_ended=True)
                view.was_read = True
        self._release_withheld(view)

    def _adds_usage(self, view: _View, run: TaskSnapshot) -> bool:
        """Whether an end that nobody was told of yet comes with its usage now; later, `usage` tells."""
        seen = view.runs.get((run.task_index, run.attempt))
        return seen is not None and seen.snapshot.has_ended and seen.version > self._told

    def _settle_unexplained(self, view: _View, runs: list[PastRun], now: float) -> None:
        started = {run.task_index for run in runs}
        is_cancelled = any(known.task_index is None and known.has_ended for known in view.records.values())
        patience = CANCELLED_SECONDS if is_cancelled else UNEXPLAINED_SECONDS
        for task_index, since in list(view.unexplained.items()):
            view.unexplained[task_index] = min(since, now)
            if task_index in started or now - since > patience:
                del view.unexplained[task_index]

    def _put(self, view: _View, snapshot: TaskSnapshot) -> None:
        run_id = snapshot.task_index, snapshot.attempt
        known = view.runs.get(run_id)
        if known is not None and known.snapshot.has_ended:
            if snapshot.usage is None or known.snapshot.usage is not None:
                return
            snapshot = replace(known.snapshot, usage=snapshot.usage)
        elif (
            snapshot.has_ended
            and StateFlag.REQUEUED not in snapshot.flags
            and snapshot.attempt
            and self._lacks_history(view, *run_id)
        ):
            view.withheld[run_id] = snapshot
            return
        if known is None or known.snapshot != snapshot:
            self._bump(view)
            view.runs[run_id] = _Run(snapshot, self.version)

    def _release_withheld(self, view: _View) -> None:
        for run_id in sorted(view.withheld):
            if not self._lacks_history(view, *run_id):
                self._put(view, view.withheld.pop(run_id))

    @contextmanager
    def _changing(self, view: _View) -> Iterator[None]:
        """Whatever is learned in here counts as one change."""
        yield
        view.is_doubtful = True
        before, view.sum = view.sum, view.sum_up()
        if view.sum != before:
            self._bump(view)

    def _bump(self, view: _View) -> None:
        self.version += 1
        view.version = self.version


def _never_started(job_id: str, listed: Lines) -> bool:
    """Whether all that is listed of it waits; a run that was put back tells of itself when it runs again."""
    return all(line.raw_id == job_id and line.state == _WAITS for line in listed.values())
