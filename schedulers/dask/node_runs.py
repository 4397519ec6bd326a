"""The runs and lanes of one node: what may start, what is known of each run, when a lane has drained."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from schedulers.dask.accounts import RunRefused
from schedulers.dask.messages import Lane, RunReport
from schedulers.dask.node import NodeConfig

CLOCK_TOLERANCE_SECONDS = 5.0
"""How far an executor's word on a time may lie in the past before the supervisor's clock counts instead."""


@dataclass(slots=True)
class OpenLane:
    """A lane some of whose runs have not ended."""

    lane: Lane
    unfinished: dict[str, None]
    """Keys in the order in which the executor starts them: only the first can be running."""
    moved_at: float
    """When it was sent or a run of it last started or ended."""


class NodeRuns:
    """State only: no clock and no process is touched here."""

    def __init__(self, reports: dict[str, RunReport]) -> None:
        self.reports = reports
        self.lanes: dict[str, OpenLane] = {}

    def check(self, lane: Lane, config: NodeConfig) -> None:
        """Hold a lane against what this node has; placement should never let one fail.

        Raises:
            RunRefused: it does not fit beside the lanes that are open.
        """
        slots = {_slot(opened.lane): opened.lane for opened in self.lanes.values()}
        others = [other for slot, other in slots.items() if slot != _slot(lane)]
        unknown = set(lane.gpu_indices) - {gpu.index for gpu in config.gpus}
        if unknown:
            raise RunRefused(f"This node has no GPU {min(unknown)}.")
        for other in others:
            shared = set(lane.gpu_indices) & set(other.gpu_indices)
            if shared:
                raise RunRefused(f"GPU {min(shared)} is held by lane {other.lane_id}.")
        for what, held, offered in (
            ("CPUs", sum(other.cpus for other in others) + lane.cpus, config.cpus),
            ("MiB of memory", sum(other.memory_mib for other in others) + lane.memory_mib, config.memory_mib),
        ):
            if held > offered:
                raise RunRefused(f"Lanes would hold {held} {what}; this node offers {offered}.")

    def fresh(self, keys: Iterable[str]) -> set[str]:
        """Those keys that this node has never been told of."""
        return {key for key in keys if key not in self.reports}

    def open(self, lane: Lane, now: float) -> list[RunReport]:
        """Queue a lane's runs, or add them to the lane when it is open already."""
        reports = [
            RunReport(run.key, lane.lane_id, "queued", gpu_indices=lane.gpu_indices) for run in lane.runs
        ]
        self.reports.update((report.key, report) for report in reports)
        opened = self.lanes.setdefault(lane.lane_id, OpenLane(lane, {}, now))
        opened.unfinished.update((report.key, None) for report in reports)
        return reports

    def started(self, key: str, claimed_at: float, now: float) -> RunReport | None:
        """Take in an executor's word that a run started; None when that is no news."""
        report = self.reports.get(key)
        if report is None or report.state != "queued":
            return None
        opened = self.lanes[report.lane_id]
        started_at = opened.moved_at = _believe(claimed_at, now, not_before=opened.moved_at)
        return self._keep(replace(report, state="running", started_at=started_at))

    def ended(self, key: str, facts: dict[str, Any], now: float) -> RunReport | None:
        """Take in how a run ended; None when it is unknown or had ended before."""
        report = self.reports.get(key)
        if report is None or report.has_ended:
            return None
        opened = self.lanes[report.lane_id]
        started_at = report.started_at
        if started_at is None and facts.get("started_at") is not None:
            started_at = _believe(facts["started_at"], now, not_before=opened.moved_at)
        ended_at = _believe(facts["ended_at"], now, not_before=started_at or 0.0)
        del opened.unfinished[key]
        if started_at is not None:
            opened.moved_at = ended_at
        return self._keep(replace(report, **{**facts, "started_at": started_at, "ended_at": ended_at}))

    def unfinished(self, lane_ids: Iterable[str]) -> set[str]:
        """Runs of these lanes that have not ended."""
        return {key for lane_id in lane_ids for key in self.lanes[lane_id].unfinished}

    def perhaps_started(self, lane_ids: Iterable[str]) -> dict[str, float]:
        """Runs of these lanes that run, or may have started without a word; since when at the earliest."""
        lanes = [self.lanes[lane_id] for lane_id in lane_ids]
        return {next(iter(opened.unfinished)): opened.moved_at for opened in lanes if opened.unfinished}

    def take_drained(self, lane_ids: Iterable[str]) -> list[str]:
        """Close those of these lanes whose runs have all ended; which they were."""
        drained = [lane_id for lane_id in lane_ids if not self.lanes[lane_id].unfinished]
        for lane_id in drained:
            del self.lanes[lane_id]
        return drained

    def keys_of(self, jobs: Collection[str]) -> list[str]:
        """Unended runs of these job ids."""
        unended = (key for opened in self.lanes.values() for key in opened.unfinished)
        return [key for key in unended if key.partition("/")[0] in jobs]

    def forget(self, keys: Iterable[str]) -> list[str]:
        """Drop those that have ended; which they were."""
        dropped = [key for key in keys if key in self.reports and self.reports[key].has_ended]
        for key in dropped:
            del self.reports[key]
        return dropped

    def _keep(self, report: RunReport) -> RunReport:
        self.reports[report.key] = report
        return report


def _slot(lane: Lane) -> str:
    """Lanes of one slot use the same share in turn."""
    return lane.slot or lane.lane_id


def refused(lane: Lane, reason: str, now: float) -> list[RunReport]:
    """Reports of the runs of a lane that cannot start here."""
    return [
        RunReport(run.key, lane.lane_id, "BOOT_FAIL", reason, ended_at=now, gpu_indices=lane.gpu_indices)
        for run in lane.runs
    ]


def _believe(claimed_at: float, now: float, *, not_before: float) -> float:
    if claimed_at < now - CLOCK_TOLERANCE_SECONDS:
        return now
    return max(min(claimed_at, now), min(not_before, now))
