"""What a supervisor does: checks lanes, gives them to executors, records what becomes of every run.

No client, socket or daemon is known here; changes go to one callback.
"""

import contextlib
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from schedulers.dask import processes
from schedulers.dask.accounts import Account, RunRefused, hand_over_workspace, resolve_account
from schedulers.dask.cgroup_tree import CellCgroup, CgroupTree, NoCgroup, open_tree
from schedulers.dask.executor_process import ExecutorProcess
from schedulers.dask.isolation import Cell, probe
from schedulers.dask.journal import Journal, Replayed
from schedulers.dask.messages import Lane, RunReport, Tenant
from schedulers.dask.node import Gpu, NodeConfig
from schedulers.dask.node_runs import NodeRuns, refused

KILLED = int(signal.SIGKILL)
TENANT_FOLDER_DEPTH = 3
"""organisation / account / cluster user."""


@dataclass(frozen=True, slots=True)
class CellKey:
    """Runs share an executor when all of this is equal."""

    tenant: Tenant
    tenant_root: str
    gpu_indices: tuple[int, ...]


class Supervision:
    """One node's runs and executors; single-threaded, so each call sees and leaves a whole state."""

    def __init__(
        self, config: NodeConfig, *, on_change: Callable[[Iterable[RunReport], Iterable[str]], None]
    ) -> None:
        self.id = uuid4().hex
        self._config = config
        self._on_change = on_change
        self._state_dir = Path(config.state_dir)
        self._probed = probe(config)
        self._journal = Journal(self._state_dir / "journal")
        self._organisation = self._journal.replayed.organisation
        self._runs = NodeRuns(self._journal.replayed.reports)
        self._executors: dict[CellKey, ExecutorProcess] = {}
        self._all_executors: set[ExecutorProcess] = set()
        self._cgroups, self._watched_because = _cgroups_of(config)
        self._cells = 0
        self._bury_predecessors()

    @property
    def is_busy(self) -> bool:
        """Whether a run is queued or running."""
        return bool(self._runs.lanes)

    def reports(self) -> list[RunReport]:
        """All that is known of every run that was not forgotten."""
        return list(self._runs.reports.values())

    def status(self) -> dict[str, Any]:
        """Facts about the node, for its announcement and for people."""
        return {
            "supervisor_id": self.id,
            "pid": os.getpid(),
            "isolation": self._probed.isolation,
            "problems": list(self._probed.problems),
            "memory_is_watched_because": self._watched_because,
            "cgroup": self._cgroups.path if self._cgroups else "",
            "serves_several_organisations": self._serves_several,
            "executors": [executor.pid for executor in self._all_executors],
            "lanes": list(self._runs.lanes),
        }

    def configure(self, config: NodeConfig) -> None:
        """Take a new configuration; runs that go on keep the cell they have."""
        if config == self._config:
            return
        self._config, self._probed = config, probe(config)
        for executor in self._executors.values():
            if not executor.lanes:
                executor.close()
        self._executors.clear()

    @property
    def _serves_several(self) -> bool:
        return self._probed.isolation != "none" or self._config.allow_unisolated_tenants

    def _bury_predecessors(self) -> None:
        """End what a killed supervisor left: its executors' processes, and its runs as NODE_FAIL."""
        left = self._journal.replayed.executors
        for pid, start_ticks in left.items():
            process = processes.read_process(pid)
            if process and process.start_ticks == start_ticks:
                processes.kill_descendants([pid])
        lost = {report.key for report in self.reports() if not report.has_ended}
        # Without a sandbox, a job's process may have outlived its executor; it still carries its key.
        marked = [
            pid for pid in (processes.read_processes() if lost else ()) if processes.run_key_of(pid) in lost
        ]
        processes.kill_descendants(marked)
        now = time.time()
        ends = [
            replace(
                self._runs.reports[key], state="NODE_FAIL", reason="The node's supervisor died.", ended_at=now
            )
            for key in sorted(lost)
        ]
        self._runs.reports.update((report.key, report) for report in ends)
        self._journal.compact(Replayed(self._runs.reports, organisation=self._organisation))
        shutil.rmtree(self._state_dir / "cells", ignore_errors=True)

    # Launching

    def launch(self, lanes: Iterable[dict[str, Any]]) -> None:
        """Start lanes; runs that are known, even ended, are left out. Durable when it returns."""
        for fields in lanes:
            fresh = self._runs.fresh(run["key"] for run in fields["runs"])
            if fresh:
                kept = {**fields, "runs": [run for run in fields["runs"] if run["key"] in fresh]}
                self._launch_fresh(kept)
            elif fields["lane_id"] not in self._runs.lanes:
                self._on_change((), [fields["lane_id"]])

    def _launch_fresh(self, fields: dict[str, Any]) -> None:
        lane = Lane.from_json(fields)
        try:
            self._check(lane)
            key = CellKey(lane.command.tenant, self._tenant_root(lane), lane.gpu_indices)
            account = resolve_account(lane.command.tenant, lowest_uid=self._config.lowest_uid)
            hand_over_workspace(lane.command.workspace, account)
            gpus = tuple(gpu for gpu in self._config.gpus if gpu.index in lane.gpu_indices)
            executor = self._executors.get(key) or self._start_executor(key, account, gpus)
        except (RunRefused, OSError) as problem:
            reports = refused(lane, str(problem), time.time())
            self._runs.reports.update((report.key, report) for report in reports)
            self._record(reports, () if lane.lane_id in self._runs.lanes else [lane.lane_id])
            return
        self._journal.launched(lane)
        self._runs.open(lane, time.time())
        executor.lanes.add(lane.lane_id)
        executor.send({"lane": fields})

    def _check(self, lane: Lane) -> None:
        organisation = lane.command.tenant.organisation
        if self._probed.isolation == "none":
            if os.geteuid() == 0:
                raise RunRefused("This node runs as root and can neither switch users nor sandbox.")
            if not self._serves_several and self._organisation not in {"", organisation}:
                raise RunRefused("This node cannot keep organisations apart, and it serves another one.")
        if not self._organisation:
            self._organisation = organisation
            self._journal.serves(organisation)
        self._runs.check(lane, self._config)

    def _tenant_root(self, lane: Lane) -> str:
        """The folder that the lane's tenant may write, checked to be a tenant's folder and no other."""
        given = Path(lane.command.workspace)
        base = Path(self._config.workspace_root).resolve()
        real = given.parent.resolve()
        if not real.is_relative_to(base) or len(real.relative_to(base).parts) != TENANT_FOLDER_DEPTH:
            raise RunRefused(f"{given} is not a job's folder below this node's workspace root.")
        if not given.is_dir():
            raise RunRefused(f"The job's folder {given} does not exist on this node.")
        return str(given.parent)

    def _start_executor(self, key: CellKey, account: Account, gpus: tuple[Gpu, ...]) -> ExecutorProcess:
        self._cells += 1
        files = self._state_dir / "cells" / str(self._cells)
        files.mkdir(parents=True)
        executor = ExecutorProcess(
            self._probed.isolation,
            Cell(account, key.tenant_root, gpus, str(files), self._open_cell(account)),
            self._config,
            on_reports=self._take_reports,
            on_end=self._take_end,
        )
        self._executors[key] = executor
        self._all_executors.add(executor)
        self._journal.executor_started(executor.pid, executor.start_ticks)
        return executor

    def _open_cell(self, account: Account) -> CellCgroup | None:
        try:
            return self._cgroups.open_cell(account.uid) if self._cgroups else None
        except OSError:  # then memory is watched: better than not to start
            traceback.print_exc()
            return None

    # What executors say

    def _take_reports(self, executor: ExecutorProcess, facts: list[list[Any]]) -> None:
        now = time.time()
        reports: dict[str, RunReport] = {}
        for what, key, said in facts:
            change = (
                self._runs.started(key, said, now) if what == "start" else self._runs.ended(key, said, now)
            )
            if change:
                reports[key] = change
        self._record(reports.values(), self._close_drained(executor))

    def _take_end(self, executor: ExecutorProcess) -> None:
        """An executor is gone: what it had not reported as ended ends here, by our clock."""
        self._all_executors.discard(executor)
        for key in [key for key, other in self._executors.items() if other is executor]:
            del self._executors[key]
        now = time.time()
        begun = self._runs.perhaps_started(executor.lanes)
        unfinished = sorted(self._runs.unfinished(executor.lanes))
        ends = [self._runs.ended(key, _fate(executor, begun.get(key), now), now) for key in unfinished]
        self._record((report for report in ends if report), self._close_drained(executor))
        if self._cgroups and executor.cgroup:
            self._cgroups.close_cell(executor.cgroup)
        self._clear_strays()
        self._journal.executor_ended(executor.pid)

    def _close_drained(self, executor: ExecutorProcess) -> list[str]:
        drained = self._runs.take_drained(executor.lanes)
        executor.lanes.difference_update(drained)
        executor.idle_since = time.monotonic()
        return drained

    def _clear_strays(self) -> None:
        """Kill what an executor left that ran without a sandbox; it came to us as the subreaper."""
        own = {executor.pid for executor in self._all_executors}
        seen = processes.read_processes().values()
        strays = {process.pid for process in seen if process.parent == os.getpid()} - own
        processes.kill_descendants(strays)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _record(self, reports: Iterable[RunReport], drained: Iterable[str] = ()) -> None:
        kept = list(reports)
        if kept:
            try:
                self._journal.changed(kept)
            except OSError:  # a full disk must not end runs; the ends are still told and listed
                traceback.print_exc()
        self._on_change(kept, drained)

    # Cancelling, forgetting, leaving

    def cancel(self, *, keys: Iterable[str], jobs: Iterable[str], grace_seconds: float) -> None:
        """End these runs and all runs of these jobs; unknown and ended ones are passed over."""
        wanted = {*keys, *self._runs.keys_of(frozenset(jobs))}
        for executor in self._all_executors:
            doomed = wanted & self._runs.unfinished(executor.lanes)
            if doomed:
                executor.send({"cancel": sorted(doomed), "grace_seconds": grace_seconds})

    def recall(self, keys: Iterable[str]) -> None:
        """End those of these runs that have not started; the others go on."""
        wanted = set(keys)
        for executor in self._all_executors:
            queued = wanted & self._runs.unfinished(executor.lanes)
            if queued:
                executor.send({"recall": sorted(queued)})

    def set_walltimes(self, walltimes: Mapping[str, int]) -> None:
        """Give these runs other limits, in seconds since their start; unknown ones are passed over."""
        for executor in self._all_executors:
            mine = walltimes.keys() & self._runs.unfinished(executor.lanes)
            if mine:
                executor.send({"walltimes": {key: walltimes[key] for key in sorted(mine)}})

    def forget(self, keys: Iterable[str]) -> None:
        """Drop those of these runs that have ended."""
        dropped = self._runs.forget(keys)
        if dropped:
            self._journal.forgotten(dropped)
        if self._journal.wants_compaction(len(self._runs.reports)):
            living = {executor.pid: executor.start_ticks for executor in self._all_executors}
            self._journal.compact(Replayed(self._runs.reports, living, self._organisation))

    def tick(self) -> None:
        """What is done from time to time: let idle executors go, kill those that their jobs have stopped."""
        now = time.monotonic()
        if self._cgroups:
            self._cgroups.tick()
        for key, executor in list(self._executors.items()):
            if not executor.lanes and now - executor.idle_since >= self._config.executor_idle_seconds:
                del self._executors[key]
                executor.close()
        if self._probed.isolation != "sandbox":
            for executor in list(self._all_executors):
                process = processes.read_process(executor.pid)
                if process and process.state in "Tt":
                    executor.kill("")

    def close(self) -> None:
        """Leave nothing behind; every run has ended, or will not any more."""
        if self._cgroups:
            self._cgroups.close()

    def end_all(self, reason: str) -> None:
        """Kill every run; they end as NODE_FAIL once their executors are seen to be gone."""
        for executor in list(self._all_executors):
            executor.kill(reason)


def _cgroups_of(config: NodeConfig) -> tuple[CgroupTree | None, str]:
    """The node's cgroups; or none, and why memory is only watched."""
    try:
        return open_tree(config.cgroup, config.state_dir), ""
    except NoCgroup as problem:
        return None, str(problem)


def _fate(executor: ExecutorProcess, begun_at: float | None, now: float) -> dict[str, Any]:
    """How a run ended whose executor is gone.

    Args:
        executor: what is gone.
        begun_at: when the run started, or may have started; None when it surely did not.
        now: Unix seconds.
    """
    if executor.fate:
        return {"state": "NODE_FAIL", "reason": executor.fate, "ended_at": now}
    if not executor.is_ready:
        words = executor.last_words()
        return {
            "state": "BOOT_FAIL",
            "reason": f"The tenant's sandbox did not start: {words}",
            "ended_at": now,
        }
    if begun_at is None:
        return {"state": "NODE_FAIL", "reason": "The tenant's executor died first.", "ended_at": now}
    # A job can kill the executor of its own tenant, so this must not be a failure that costs nothing.
    reason = f"RaisedSignal:{KILLED}(SIGKILL)"
    return {"state": "FAILED", "reason": reason, "signal": KILLED, "started_at": begun_at, "ended_at": now}
