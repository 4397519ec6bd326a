"""What goes wrong: each fault strikes the stage, leaves it broken for a while, and mends it again."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from scripts.slurm_cluster import daemons
from tests.e2e.chaos.bad_gateway import Mood
from tests.e2e.chaos.clocks import SEEN_SECONDS
from tests.e2e.chaos.people import WITH_SLURM
from tests.e2e.chaos.promises import SLURM
from tests.e2e.chaos.stage import CONTROLLERS, DASK, REPLICAS, WORKERS, Stage
from tests.portal_processes import wait_until

CUT_SECONDS = 2.0
STEPS_SECONDS = (-5400, -90, 90, 5400)
"""How far clocks are set."""

Strike: TypeAlias = Callable[[Stage, random.Random], str]
"""Does it, and says to whom; everything is mended when it returns."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault. `weight` is how often it comes among all kinds."""

    name: str
    strike: Strike
    weight: int = 1
    fails_over: str = ""
    """The cluster whose standby must take over the job that is submitted then: how long that takes is a
    promise."""
    is_of_slurm: bool = False
    """Comes only where Slurm takes part."""


def kill_leader(cluster: str) -> Strike:
    """Kill -9 the active controller of this cluster; it comes back as a standby."""

    def strike(stage: Stage, dice: random.Random) -> str:
        victim = stage.wait_for_leader(cluster)
        stage.processes.kill(victim)
        stage.submit(cluster)
        if dice.random() < 0.5:
            stage.wait_for_leader(cluster, but=victim)
        else:
            time.sleep(dice.uniform(0, 2))
        stage.processes.start(victim)
        return victim

    return strike


def pause_leader(stage: Stage, dice: random.Random) -> str:
    """Stop it for longer than its lease, so that another is active when it goes on where it was."""
    victim = stage.wait_for_leader()
    process = stage.processes.running[victim].pid
    os.kill(process, signal.SIGSTOP)
    try:
        stage.submit()
        stage.wait_for_leader(but=victim)
        time.sleep(dice.uniform(0, 1))
    finally:
        os.kill(process, signal.SIGCONT)
    return victim


def cut_leader_from_database(stage: Stage, dice: random.Random) -> str:
    """It goes on to run, and to talk to the nodes, and can write nothing."""
    victim = stage.wait_for_leader()
    with _cut(stage, victim, "database"):
        stage.submit()
        stage.wait_for_leader(but=victim)
        time.sleep(dice.uniform(0, 1))
    return victim


def cut_leader_from_scheduler(stage: Stage, dice: random.Random) -> str:
    """It can write, and reaches no node."""
    victim = stage.wait_for_leader()
    with _cut(stage, victim, "scheduler"):
        time.sleep(dice.uniform(0.5, CUT_SECONDS))
    return victim


def cut_leader_from_slurmrestd(stage: Stage, dice: random.Random) -> str:
    """What it had asked for may have been done, or not."""
    victim = stage.wait_for_leader(SLURM)
    stage.submit(SLURM)
    with _cut(stage, victim, "slurmrestd"):
        time.sleep(dice.uniform(0.5, CUT_SECONDS))
    return victim


def spoil_slurmrestd(*moods: Mood) -> Strike:
    """One of these moods, while jobs are sent."""

    def strike(stage: Stage, dice: random.Random) -> str:
        mood = dice.choice(moods)
        met = stage.gateway.met.get(mood, 0)
        stage.gateway.mood = mood
        try:
            stage.submit(SLURM)
            time.sleep(dice.uniform(CUT_SECONDS, 2 * CUT_SECONDS))
            wait_until(lambda: stage.gateway.met.get(mood, 0) > met, what=f"a request that meets {mood}")
        finally:
            stage.gateway.mood = Mood.GOOD
        return mood.value

    return strike


def kill_slurmrestd(stage: Stage, dice: random.Random) -> str:
    """Kill -9, while jobs are sent."""
    stage.submit(SLURM)
    time.sleep(dice.uniform(0, 1))
    daemons.kill(stage.slurm, "slurmrestd")
    time.sleep(dice.uniform(0, 1))
    daemons.start(stage.slurm, "slurmrestd")
    return "slurmrestd"


def cut_replica_from_database(stage: Stage, dice: random.Random) -> str:
    """People find that the other one answers."""
    victim = dice.choice(REPLICAS)
    with _cut(stage, victim, "database"):
        time.sleep(dice.uniform(0.5, CUT_SECONDS))
    return victim


def cut_node_from_scheduler(stage: Stage, dice: random.Random) -> str:
    """Its jobs run on."""
    victim = dice.choice(WORKERS)
    with _cut(stage, victim, "scheduler"):
        time.sleep(dice.uniform(0.5, CUT_SECONDS))
    return victim


def kill_any(*names: str) -> Strike:
    """Kill -9 one of these, and start it again."""

    def strike(stage: Stage, dice: random.Random) -> str:
        victim = dice.choice(names)
        stage.processes.kill(victim)
        time.sleep(dice.choice([0.0, 0.5]))
        stage.processes.start(victim)
        return victim

    return strike


def restart_database(stage: Stage, dice: random.Random) -> str:
    """Under load: as an operator does, or as a crash does."""
    wish = dice.choice([signal.SIGINT, signal.SIGQUIT])
    stage.postgres.restart(wish)
    stage.postgres.wait_until_ready()
    return wish.name


def fill_disk(stage: Stage, dice: random.Random) -> str:
    """Not a byte more fits into the workspaces for a while."""
    ballast = stage.disk / "ballast"
    free = os.statvfs(stage.disk)
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(free.f_bavail + 1):
            file.write(bytes(free.f_bsize))
    time.sleep(dice.uniform(0.5, CUT_SECONDS))
    ballast.unlink()
    return "workspaces"


def set_clock(stage: Stage, dice: random.Random) -> str:
    """Somebody's clock jumps, and jumps back."""
    victim = dice.choice([*CONTROLLERS, *REPLICAS])
    seconds = dice.choice(STEPS_SECONDS)
    stage.clocks[victim].step(seconds)
    time.sleep(SEEN_SECONDS + dice.uniform(0, 1))
    stage.clocks[victim].step(0)
    time.sleep(SEEN_SECONDS)
    return f"{victim} {seconds:+d} s"


@contextlib.contextmanager
def _cut(stage: Stage, one: str, other: str) -> Iterator[None]:
    stage.network.cut(one, other)
    try:
        yield
    finally:
        stage.network.heal()


BAD_MOODS = (Mood.BREAKS_BEFORE, Mood.BREAKS_AFTER, Mood.HALF, Mood.DROPS)
FAULTS = (
    Fault("kill -9 the active controller of Dask", kill_leader(DASK), fails_over=DASK),
    Fault("kill -9 the active controller of Slurm", kill_leader(SLURM), fails_over=SLURM, is_of_slurm=True),
    Fault("stop the active controller beyond its lease", pause_leader, fails_over=DASK),
    Fault("cut the active controller from PostgreSQL", cut_leader_from_database, fails_over=DASK),
    Fault("cut the active controller from Dask", cut_leader_from_scheduler),
    Fault("cut the active controller from slurmrestd", cut_leader_from_slurmrestd, is_of_slurm=True),
    Fault("slurmrestd is slow", spoil_slurmrestd(Mood.SLOW), is_of_slurm=True),
    Fault("slurmrestd breaks", spoil_slurmrestd(*BAD_MOODS), is_of_slurm=True),
    Fault("kill -9 slurmrestd", kill_slurmrestd, is_of_slurm=True),
    Fault("cut a web replica from PostgreSQL", cut_replica_from_database),
    Fault("cut a node from Dask", cut_node_from_scheduler),
    Fault("kill -9 a web replica", kill_any(*REPLICAS)),
    Fault("kill -9 a node's worker", kill_any(*WORKERS), weight=2),
    Fault("kill -9 the Dask scheduler", kill_any("scheduler")),
    Fault("restart PostgreSQL", restart_database, weight=2),
    Fault("fill the workspaces' disk", fill_disk),
    Fault("set a clock", set_clock, weight=2),
)
"""By weight twenty in all, fifteen without Slurm: each kind comes in each twenty rounds."""


def deal(rounds: int, dice: random.Random) -> Iterator[Fault]:
    """All kinds by weight, in any order, again and again; fail-overs far apart: a standby must be there."""
    deck: list[Fault] = []
    for _ in range(rounds):
        if not deck:
            dealt = [fault for fault in FAULTS if WITH_SLURM or not fault.is_of_slurm]
            all_by_weight = [fault for fault in dealt for _ in range(fault.weight)]
            dice.shuffle(all_by_weight)
            deck = [fault for fault in all_by_weight if not fault.fails_over]
            fail_overs = [fault for fault in all_by_weight if fault.fails_over]
            for number, fault in enumerate(fail_overs, start=1):
                deck.insert(number * len(all_by_weight) // len(fail_overs) - 1, fault)
        yield deck.pop()
