"""What is known of the jobs that the portal follows, put together from slurmctld and slurmdbd; no I/O.

Nothing ends because it is missing: a run has ended when one of the two says how, and a run after a requeue
ends only when the attempts before it are known too, so that none of them stays uncharged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from math import inf
from uuid import UUID

import structlog

from schedulers.array_tasks import TaskSet
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobSnapshot, JobState, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef, Observation
from schedulers.slurm.job_view import Known, Run, View
from schedulers.slurm.read_jobs import Owner, PastRun, Record
from schedulers.slurm.spot_changes import Lines, News, States, raw_ids, spot

log = structlog.get_logger()

UNEXPLAINED_SECONDS, CANCELLED_SECONDS, HEARD_SECONDS = 600.0, 60.0, 3.0
"""So long slurmdbd must say that it has no record of a task that left the rest of its array, before that was
cancelled unstarted: slurmctld may still send what it kept. The second where the rest itself was cancelled,
the third where slurmdbd has heard of that, for slurmctld sends in order."""
_RUNS_SELDOM = 60
"""So many times as long as the reason of a job that waits, a job that runs is not read again."""
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
_WAITS = (JobState.PENDING.value,)


class Book:
    """All jobs followed. `version` counts changes: it is the cursor of observations."""

    def __init__(self) -> None:
        self.version = 0
        self._told = 0
        """The version of the last observation that was given out."""
        self._views: dict[str, View] = {}

    def follow(self, owners: Mapping[str, Owner]) -> None:
        """Keep track of these from now on; what had one of their numbers before is dropped."""
        for job_id, owner in owners.items():
            if not self._is_of(job_id, owner):
                self._views[job_id] = View(owner)
            elif (view := self._views[job_id]).owner.known_at is None:
                view.owner = replace(view.owner, known_at=owner.known_at)

    def expect(self, job_id: str, owner: Owner) -> None:
        """Keep track of a job that was just submitted or found."""
        if not self._is_of(job_id, owner):
            self._views[job_id] = View(owner, is_sure=True)

    def _is_of(self, job_id: str, owner: Owner) -> bool:
        view = self._views.get(job_id)
        return view is not None and view.owner.key == owner.key

    def forget(self, jobs: Iterable[JobRef]) -> None:
        """Drop these."""
        for job in jobs:
            if self._view_of(job):
                del self._views[job.scheduler_job_id]

    def owner_of(self, job: JobRef) -> Owner:
        """All that is known of whose job it is."""
        view = self._view_of(job)
        return view.owner if view else Owner.of(job)

    def _view_of(self, job: JobRef) -> View | None:
        view = self._views.get(job.scheduler_job_id)
        return view if view and view.owner.key == job.job_id else None

    def owners_of(self, job_ids: Iterable[str]) -> dict[str, Owner]:
        """The same by number, of those that are followed."""
        return {job_id: self._views[job_id].owner for job_id in job_ids}

    def observe(self, jobs: Iterable[JobRef], *, since: int | None) -> Observation:
        """What is known, or what of it changed after `since`."""
        after = -1 if since is None else since
        seen: dict[UUID, JobSnapshot] = {}
        for job in jobs:
            view = self._view_of(job)
            if view is None or not view.was_read or view.version <= after:
                continue
            if view.is_lost and since is None:
                continue
            seen[job.job_id] = JobSnapshot(
                scheduler_job_id=job.scheduler_job_id,
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
            view = self._views[job_id]
            now = view.lines(job_id, states)
            if view.is_to_be_read and now:
                news.whole.add(job_id)
            elif view.was_read:
                spot(news, job_id, view.listed, now)
            elif now and view.is_sure and _never_started(job_id, now):
                self._note_waiting(job_id, view, now)
            elif now:
                news.whole.add(job_id)
        return news

    def doubt_all(self) -> None:
        """After slurmctld was away: it may have lost its memory, and list another job just like ours."""
        for view in self._views.values():
            view.is_to_be_read = True

    def doubt(self, job: JobRef) -> None:
        """It was put back into the queue: where it runs again by the next look, it is listed as before."""
        if view := self._view_of(job):
            view.is_to_be_read = True

    def _note_waiting(self, job_id: str, view: View, listed: Lines) -> None:
        """A job of ours that only waits has nothing to read but its reason, which is read in its turn."""
        with self._changing(view):
            view.was_read, view.listed = True, listed
            view.records[job_id] = Known(task_index=None, attempt=0, waits=True, has_ended=False)

    def stale(self, job_ids: Iterable[str], *, now: float, after_seconds: float, most: int) -> list[str]:
        """Waiting jobs whose reason was not read for long, longest first; large arrays wait longer.

        Those that run are read again, too, but seldom: their numbers might have been given to others.
        """
        due = []
        for job_id in job_ids:
            view = self._views[job_id]
            if view.sum.is_open and not view.is_displaced:
                age = (now - view.read_at) / (1 + len(view.records) / 50)
                age = age if view.sum.waits else age / _RUNS_SELDOM
                if age > after_seconds:
                    due.append((-age, job_id))
        return [job_id for _, job_id in sorted(due)[:most]]

    def to_account(self, job_ids: Iterable[str], states: States, *, now: float) -> dict[str, str]:
        """Numbers to ask slurmdbd for, with their job: what slurmctld has dropped, and earlier attempts."""
        wanted: dict[str, str] = {}
        for job_id in job_ids:
            view = self._views[job_id]
            is_gone = view.sum.is_open and not view.lines(job_id, states)
            if (view.is_doubtful or is_gone) and view.ask_again_at <= now:
                unclear = list(self._unclear(job_id, view, states))
                view.is_doubtful = bool(unclear)
                wanted.update(dict.fromkeys(unclear, job_id))
        return wanted

    def _unclear(self, job_id: str, view: View, states: States) -> Iterator[str]:
        lines = view.lines(job_id, states)
        if view.unexplained or (not view.was_read and not lines):
            yield job_id
            return
        listed = raw_ids(lines)
        for raw_id, known in view.records.items():
            is_gone = not known.has_ended and raw_id not in listed
            if is_gone or view.lacks_history(known.task_index or 0, known.attempt):
                yield raw_id

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
        view.is_to_be_read = False
        found = self._ours(view, [record for record in records if record.job_id == job_id])
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
            ours = self._ours(view, found)
            view.listed = view.lines(job_id, states)
            with self._changing(view):
                for record in ours:
                    self._take(view, record)
                self._note_gone(view, news.gone.get(job_id, ()))

    @staticmethod
    def _ours(view: View, records: Collection[Record]) -> list[Record]:
        """Those records of the job's number that are of the job."""
        ours = [record for record in records if view.owner.may_be(record.owner)]
        if records and not ours and not view.is_displaced:
            view.is_displaced = view.is_doubtful = True
            others = sorted({record.owner.user for record in records})
            log.warning("slurm.number_given_again", job_id=str(view.owner.key), now_of=others)
        return ours

    def expect_cancelled(self, job: JobRef, tasks: ArraySpec, *, at: datetime) -> None:
        """We cancelled these tasks: those that leave the rest without a record never started."""
        if view := self._view_of(job):
            view.cancelled.append((tasks, at))

    def _note_gone(self, view: View, gone: Iterable[int | None]) -> None:
        started = {known.task_index for known in view.records.values()}
        for task_index in gone:
            if task_index is None or task_index in started:
                continue
            if not self._note_cancelled(view, task_index):
                view.unexplained.setdefault(task_index, inf)

    def _end_cancelled(self, view: View) -> None:
        """The rest of an array is over: of what never started, we know those tasks that we cancelled."""
        known = {known.task_index for known in view.records.values()}
        for tasks, at in view.cancelled:
            for task_index in tasks.indices():
                if task_index not in known:
                    self._put(view, TaskSnapshot(task_index, 0, JobState.CANCELLED, ended_at=at))

    def _note_cancelled(self, view: View, task_index: int) -> bool:
        """A task that never started has ended, if it was us who cancelled it."""
        at = next((at for tasks, at in view.cancelled if task_index in TaskSet([tasks])), None)
        if at is not None:
            self._put(view, TaskSnapshot(task_index, 0, JobState.CANCELLED, ended_at=at))
        return at is not None

    def _take(self, view: View, record: Record) -> None:
        view.was_read, view.is_lost = True, False
        view.owner = view.owner.seen_as(record.owner)
        state = record.state
        is_put_back = StateFlag.REQUEUED in state.flags
        view.records[record.raw_id] = Known(
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
            if run.job_id in by_job and self._views[run.job_id].owner.may_be(run.owner):
                by_job[run.job_id].append(run)
        for job_id, runs in by_job.items():
            view = self._views[job_id]
            with self._changing(view):
                self._take_runs(job_id, view, runs, states)
                self._settle_unexplained(view, runs, now)
                still = list(self._unclear(job_id, view, states))
                is_unknown = job_id in still and not states.of(job_id) and not runs
                # slurmdbd does not hear of an end that slurmctld forgot.
                view.is_lost = bool(still) if view.is_displaced else is_unknown
            view.asked = view.asked + 1 if still else 0
            pause = min(_FIRST_RETRY_SECONDS * 2**view.asked, _LAST_RETRY_SECONDS)
            view.ask_again_at = now + pause if still else 0.0

    def _take_runs(self, job_id: str, view: View, runs: list[PastRun], states: States) -> None:
        last = {run.raw_id: run.attempt for run in runs}  # oldest first: the newest stays
        listed = raw_ids(view.lines(job_id, states))
        for run in runs:
            known = view.records.get(run.raw_id)
            if run.raw_id in listed:
                # slurmctld speaks for the attempt that it has; slurmdbd adds those before, and the usage.
                is_past = known is not None and run.attempt < known.attempt
                if run.run is not None and run.is_certain and (is_past or view.has_ended(run.run)):
                    # slurmdbd may not have the attempt after this one yet, and tell it as the last.
                    flags = run.run.flags | {StateFlag.REQUEUED} if is_past else run.run.flags
                    self._put(view, replace(run.run, flags=flags))
                continue
            if not run.has_ended or not run.is_certain:
                # Neither of the two knows how it ended: nothing is over before slurmdbd has heard of it.
                is_open = (run.task_index, run.attempt) in view.runs
                view.records.setdefault(
                    run.raw_id, Known(run.task_index, run.attempt, waits=not is_open, has_ended=False)
                )
                continue
            if run.run is not None:
                self._put(view, run.run)
            is_put_back = run.run is not None and StateFlag.REQUEUED in run.run.flags
            if run.attempt == last[run.raw_id] and not is_put_back:
                view.records[run.raw_id] = Known(run.task_index, run.attempt, waits=False, has_ended=True)
                view.was_read = True
        self._release_withheld(view)

    def _settle_unexplained(self, view: View, runs: list[PastRun], now: float) -> None:
        started = {run.task_index for run in runs}
        is_cancelled = any(known.task_index is None and known.has_ended for known in view.records.values())
        has_heard = any(run.task_index is None and run.has_ended for run in runs)
        patience = CANCELLED_SECONDS if is_cancelled else UNEXPLAINED_SECONDS
        patience = HEARD_SECONDS if is_cancelled and has_heard else patience
        for task_index, since in list(view.unexplained.items()):
            view.unexplained[task_index] = min(since, now)
            if task_index in started or now - since > patience:
                del view.unexplained[task_index]

    def _put(self, view: View, snapshot: TaskSnapshot) -> None:
        run_id = snapshot.task_index, snapshot.attempt
        known = view.runs.get(run_id)
        if known is not None and known.snapshot.has_ended:
            is_told = known.version <= self._told
            if is_told or snapshot.usage is None or known.snapshot.usage is not None:
                return  # an end is told once; of usage that comes later, `accounted` tells
            snapshot = replace(known.snapshot, usage=snapshot.usage)
        elif (
            snapshot.has_ended
            and StateFlag.REQUEUED not in snapshot.flags
            and snapshot.attempt
            and view.lacks_history(*run_id)
        ):
            view.withheld[run_id] = snapshot
            return
        if known is None or known.snapshot != snapshot:
            self._bump(view)
            view.runs[run_id] = Run(snapshot, self.version)

    def _release_withheld(self, view: View) -> None:
        for run_id in sorted(view.withheld):
            if not view.lacks_history(*run_id):
                self._put(view, view.withheld.pop(run_id))

    @contextmanager
    def _changing(self, view: View) -> Iterator[None]:
        """Whatever is learned in here counts as one change."""
        yield
        view.is_doubtful = True
        before, view.sum = view.sum, view.sum_up()
        if view.sum != before:
            self._bump(view)

    def _bump(self, view: View) -> None:
        self.version += 1
        view.version = self.version


def _never_started(job_id: str, listed: Lines) -> bool:
    """Whether all that is listed of it waits; a run that was put back tells of itself when it runs again."""
    return all(line.raw_id == job_id and line.state == _WAITS for line in listed.values())
