"""What a regression runs: configurations, and blocks of tasks whose seeds rise by one. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

LARGEST_SEED = 2**31 - 1
"""Verilog's int is signed and has 32 bits."""
MOST_TASKS = 100_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to build the design and to start its bench."""

    name: str
    defines: tuple[str, ...] = ()
    plusargs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive tasks of one test in one configuration: task `first_task + k` has seed `first_seed + k`."""

    first_task: int
    count: int
    test: str
    configuration: str
    first_seed: int
    timeout_seconds: int
    """Of the simulation itself; 0: only the job's walltime ends it."""
    plusargs: tuple[str, ...] = ()
    """The configuration's and the test's, without the leading plus."""


@dataclass(frozen=True, slots=True)
class Run:
    """One task."""

    task_index: int
    test: str
    configuration: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole regression."""

    configurations: tuple[Configuration, ...]
    blocks: tuple[Block, ...]
    """In task order, without gaps; the first starts at task 0."""

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return self.blocks[-1].first_task + self.blocks[-1].count if self.blocks else 0

    @property
    def last_seed(self) -> int:
        """The largest seed of any task."""
        return max((block.first_seed + block.count - 1 for block in self.blocks), default=0)

    def run(self, task_index: int) -> Run:
        """The task with this index, which must be one of the plan's."""
        block = self.blocks[bisect_right(self.blocks, task_index, key=lambda one: one.first_task) - 1]
        seed = block.first_seed + task_index - block.first_task
        return Run(task_index, block.test, block.configuration, seed)

    def row(self, run: Run) -> str:
        """What a person calls the runs of a test in a configuration: `burst`, or `burst/lowpower`."""
        return run.test if len(self.configurations) == 1 else f"{run.test}/{run.configuration}"

    def shifted(self, offset: int) -> "Plan":
        """The same tasks, each with its seed moved by `offset`."""
        moved = (replace(block, first_seed=block.first_seed + offset) for block in self.blocks)
        return replace(self, blocks=tuple(moved))


def seed_ranges(seeds: Iterable[int]) -> list[range]:
    """Seeds in their order, as ranges that rise by one: [1, 2, 3, 9] are 1 to 3, and 9."""
    found: list[range] = []
    for seed in seeds:
        if found and found[-1].stop == seed:
            found[-1] = range(found[-1].start, seed + 1)
        else:
            found.append(range(seed, seed + 1))
    return found


def block_line(block: Block) -> str:
    """A block as rtl_task.sh reads it: fields with a space between, none of which contains one."""
    fields = (
        *(block.first_task, block.count, block.test, block.configuration),
        *(block.first_seed, block.timeout_seconds, *block.plusargs),
    )
    return " ".join(map(str, fields))
