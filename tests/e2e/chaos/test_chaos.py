"""Two of everything under load: parts die, stop, are cut off, fill up; no job is lost, none runs twice."""

import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schedulers.jobstate import JobState
from scripts.slurm_cluster.instance import Instance
from tests.e2e.chaos.crowd import Crowd, working
from tests.e2e.chaos.faults import Fault, deal
from tests.e2e.chaos.network import can_have_networks
from tests.e2e.chaos.people import WITH_SLURM
from tests.e2e.chaos.promises import Promises
from tests.e2e.chaos.stage import PATIENCE_SECONDS, Stage, running_stage
from tests.order import ALONE
from tests.portal_processes import wait_until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "20"))
"""A longer watch: `CHAOS_ROUNDS=100 make test TESTS=tests/e2e/chaos`."""
SEED = int(os.environ.get("CHAOS_SEED", "7"))
FAIL_OVER_SECONDS = 10.0

pytestmark = [
    pytest.mark.skipif(not can_have_networks(), reason="only root can make networks and disks"),
    pytest.mark.timeout(900 + 60 * ROUNDS),
    pytest.mark.xdist_group(ALONE),
]


@dataclass(frozen=True)
class Round:
    """What happened to whom; how long a job waited that was submitted as the active controller went."""

    fault: Fault
    victim: str
    seconds: float
    starved: float
    """Of that, how long the one that took over was ready to run and had no processor."""

    @property
    def is_late(self) -> bool:
        """Whether it took longer than is promised to whoever has a processor for the standby."""
        return bool(self.fault.fails_over) and self.seconds - self.starved >= FAIL_OVER_SECONDS

    @property
    def took(self) -> str:
        """For people."""
        return f"{self.seconds:.1f} s, {self.starved:.1f} s of it without a processor" if self.seconds else ""


def test_chaos_loses_no_job_and_starts_none_twice(folder: Path, disk: Path, slurm_on_disk: Instance) -> None:
    print(f"\nCHAOS_ROUNDS={ROUNDS} CHAOS_SEED={SEED} CHAOS_SLURM={WITH_SLURM:d}")
    with running_stage(folder, disk, slurm_on_disk) as stage:
        promises = Promises(stage.city, disk, slurm_on_disk)
        stage.wait_for_slurm()
        with working(stage) as crowd:
            rounds = play(stage, crowd, promises)
            crowd.stop()

            def all_settled() -> bool:
                stage.processes.revive()
                return promises.unsettled() == 0

            wait_until(all_settled, what="every job to settle", seconds=2 * PATIENCE_SECONDS)
        crowd.require_no_problem()
        ends = promises.check_all_settled(accepted(stage, crowd), crowd.cancelled)
        require_no_event_missed(promises.events(), crowd)
    report(rounds, crowd, ends)
    broken = [log.read_text().count("controller.scheduler_broken") for log in folder.glob("controller-*.log")]
    print(f"backends that may have forgotten something, and were made anew: {sum(broken)}")
    fail_overs = [one for one in rounds if one.fault.fails_over]
    late = [one.took for one in fail_overs if one.is_late]
    assert 2 * len(late) <= len(fail_overs), late  # PostgreSQL and Dask may wait for a processor, too
    if fail_overs:  # whatever else the machine does, the quickest shows what our own timers allow
        assert min(one.seconds for one in fail_overs) < FAIL_OVER_SECONDS, fail_overs


def play(stage: Stage, crowd: Crowd, promises: Promises) -> list[Round]:
    """All rounds; a fail-over is measured with everything well before it, others come as they come."""
    dice = random.Random(SEED)  # noqa: S311 - a test's dice
    rounds: list[Round] = []
    began = time.monotonic()
    wait_until(crowd.is_at_work, what="somebody's first job", seconds=PATIENCE_SECONDS)
    for number, fault in enumerate(deal(ROUNDS, dice)):
        if fault.fails_over:
            stage.wait_for_standby()
            stage.wait_for_dispatch(stage.submit(fault.fails_over))
        struck_at = datetime.now(UTC)
        seconds, starved = 0.0, 0.0
        with stage.watch_starvation() as watch:
            victim = fault.strike(stage, dice)
            time.sleep(dice.uniform(0, 1))
            if fault.fails_over:
                dispatched_at = stage.wait_for_dispatch(stage.probes[-1])
                seconds = (dispatched_at - struck_at).total_seconds()
                active = stage.processes.running[stage.wait_for_leader(fault.fails_over)].pid
                starved = watch.seconds(active, until=dispatched_at)
        stage.processes.revive()
        promises.check(accepted(stage, crowd))
        crowd.require_no_problem()
        rounds.append(Round(fault, victim, seconds, starved))
        print(f"{time.monotonic() - began:6.1f} s {number:3} {fault.name}: {victim} {rounds[-1].took}")
    return rounds


def accepted(stage: Stage, crowd: Crowd) -> set[str]:
    """Every job that the portal said it had taken."""
    return {*crowd.accepted, *stage.probes}


def require_no_event_missed(events: list[int], crowd: Crowd) -> None:
    """In order, once each, across all broken connections."""
    assert crowd.follower.resyncs == 0
    assert crowd.follower.seen == events


def report(rounds: Collection[Round], crowd: Crowd, ends: Counter[JobState]) -> None:
    """What docs/chaos.md says of a run."""
    callers = [crowd.browser.caller, *(designer.caller for designer in crowd.designers)]
    repeats = sum(caller.unhelped for caller in callers)
    for name, count in sorted(Counter(one.fault.name for one in rounds).items()):
        took = sorted(one.seconds for one in rounds if one.fault.name == name)
        own = sorted(one.seconds - one.starved for one in rounds if one.fault.name == name)
        figures = (statistics.median(took), took[-1], statistics.median(own), own[-1])
        print(f"| {name} | {count} | {' | '.join(f'{seconds:.1f}' for seconds in figures)} |")
    said = f"jobs {dict(ends)}, requests sent again {repeats}, event streams {crowd.follower.connections}"
    print(said)
