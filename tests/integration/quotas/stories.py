"""Long stories of the ledger: the same machine as Hypothesis drives, with every deed as likely as its weight.

Hypothesis looks for short counterexamples and shrinks them; these go far into states that take many deeds
to reach, such as a correction after a refund of a run of an array whose allocation has ended.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import Engine

from tests.integration.quotas.machine import ENDS, LedgerMachine

_SECONDS = (0, 1, 40, 99, 130)
_VERIFY_EVERY = 5


def tell(engine: Engine, seed: int, *, steps: int) -> dict[str, int]:
    """One story; how often each deed was done."""
    chance = Random(seed)  # noqa: S311 - a story, no secret
    machine = type("Machine", (LedgerMachine,), {"engine": engine})()
    machine.begin(
        vnd=chance.choice([0, 250, 600]),
        cpu=chance.choice([None, 300, 600]),
        rolling=chance.random() < 1 / 2,
        at_once=chance.choice([1, 2]),
        of_student=chance.random() < 1 / 2,
        free_seconds=chance.choice([None, 60, 150]),
    )
    deeds = _deeds(machine, chance)
    names = [name for name, (weight, _) in deeds.items() for _ in range(weight)]
    done = dict.fromkeys(deeds, 0)
    for step in range(steps):
        name = chance.choice(names)
        deeds[name][1]()
        done[name] += 1
        machine.balances_are_those_of_the_naive_ledger()
        if step % _VERIFY_EVERY == 0:
            machine.nothing_is_wrong_but_overruns()
            machine.the_mirror_follows_from_the_ledger()
    machine.nothing_is_wrong_but_overruns()
    machine.teardown()
    return done


def _deeds(machine: LedgerMachine, chance: Random) -> dict[str, tuple[int, Callable[[], object]]]:
    """By name: how likely it is, and the deed with arguments that are drawn when it is done."""
    naive = machine.naive

    def crash() -> int | None:
        return chance.randint(1, 12) if chance.random() < 1 / 3 else None

    def pick() -> int:
        return chance.randrange(100)

    def coin() -> bool:
        return chance.random() < 1 / 2

    def when(condition: Callable[[], Any], deed: Callable[[], object]) -> Callable[[], object]:
        return lambda: deed() if condition() else None

    def budget() -> int:
        return chance.choice([0, 250, 300, 600])

    def settle() -> None:
        machine.settle(
            pick(),
            [chance.choice(_SECONDS) for _ in range(chance.randint(1, 3))],
            chance.choice(ENDS),
            closes_unit=chance.random() < 3 / 4,
            repeats=chance.randint(0, 2),
            crash_at=crash(),
        )

    def grant() -> None:
        machine.grant(
            vnd=budget(),
            cpu=chance.choice([None, 300]),
            overdraft=chance.choice([0, 100]),
            days=chance.randint(0, 5),
            rolling=coin(),
            crash_at=crash(),
        )

    def submit() -> None:
        machine.submit(
            chance.choice([0, 50, 100]),
            chance.randint(1, 6),
            chance.choice([None, 1, 2, 3]),
            of_student=coin(),
            crash_at=crash(),
        )

    return {
        "grant": (2, when(lambda: len(naive.allocations) < 6, grant)),
        "adjust": (3, lambda: machine.adjust(pick(), chance.choice([1, 200]), coin(), crash())),
        "extend": (1, lambda: machine.extend(pick(), chance.randint(1, 40), crash())),
        "suspend": (2, lambda: machine.suspend_or_resume(pick(), chance.random() < 1 / 3, crash())),
        "close_allocation": (
            1,
            when(lambda: len(naive.allocations) > 3, lambda: machine.close_allocation(pick(), crash())),
        ),
        "split_off": (
            3,
            when(
                lambda: len(naive.allocations) < 9,
                lambda: machine.split_off(pick(), chance.choice([50, 150]), chance.randint(0, 20), crash()),
            ),
        ),
        "give_back": (
            1,
            when(
                lambda: any(one.parent for one in naive.allocations.values()),
                lambda: machine.give_back(pick(), crash()),
            ),
        ),
        "carry_over": (2, lambda: machine.carry_over(pick(), pick(), crash())),
        "time_passes": (2, lambda: machine.time_passes(chance.choice([0, 1, 10, 20]), crash())),
        "publish_prices": (1, when(lambda: machine.rate == 1 and coin(), machine.publish_prices)),
        "submit": (8, submit),
        "settle": (10, when(lambda: naive.jobs, settle)),
        "correct": (
            5,
            when(
                lambda: any(job.runs for job in naive.jobs),
                lambda: machine.correct(
                    pick(), pick(), chance.choice(_SECONDS), chance.choice(ENDS), crash()
                ),
            ),
        ),
        "refund": (
            4,
            when(
                lambda: naive.jobs, lambda: machine.refund(pick(), chance.choice([1, 30, 50, 100]), crash())
            ),
        ),
        "release": (
            2,
            when(
                lambda: any(job.units_open for job in naive.jobs),
                lambda: machine.release(pick(), chance.randint(1, 3), crash()),
            ),
        ),
        "start_tasks": (
            4,
            when(
                lambda: any(job.at_once for job in naive.jobs),
                lambda: machine.start_tasks(pick(), chance.randint(1, 6), crash()),
            ),
        ),
        "top_up": (
            3,
            when(lambda: naive.jobs, lambda: machine.top_up(pick(), chance.choice([0, 120]), crash())),
        ),
        "trim": (1, when(lambda: naive.jobs, lambda: machine.trim(pick(), chance.choice([10, 60]), crash()))),
        "close": (2, when(lambda: naive.jobs, lambda: machine.close(pick(), crash()))),
    }
