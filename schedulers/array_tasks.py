"""Sets of array tasks, written as ranges: what is in both of two, and what is left of one. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from schedulers.jobspec import ArraySpec


class TaskSet:
    """Membership in any number of arrays' ranges, without listing their tasks."""

    def __init__(self, arrays: Iterable[ArraySpec] = ()) -> None:
        self._arrays = [(ranges, [members.start for members in ranges]) for ranges in _ranges(arrays)]

    def plus(self, other: "TaskSet") -> "TaskSet":
        """What is in one of them or in both."""
        union = TaskSet()
        union._arrays = [*self._arrays, *other._arrays]  # noqa: SLF001 - of the same class
        return union

    def __contains__(self, task_index: int) -> bool:
        return any(_is_in(task_index, ranges, starts) for ranges, starts in self._arrays)

    def __bool__(self) -> bool:
        return bool(self._arrays)


def _ranges(arrays: Iterable[ArraySpec]) -> Iterator[list[range]]:
    return (array.ranges for array in arrays)


def _is_in(task_index: int, ranges: list[range], starts: list[int]) -> bool:
    """The ranges rise and do not overlap: only the last that starts at or before the task can have it."""
    place = bisect_right(starts, task_index)
    return place > 0 and task_index in ranges[place - 1]


def without(array: ArraySpec, dropped: ArraySpec) -> ArraySpec | None:
    """What is left of an array, with its throttle; None when nothing is."""
    gone = TaskSet([dropped])
    kept = [index for index in array.indices() if index not in gone]
    if not kept:
        return None
    throttle = f"%{array.throttle}" if array.throttle else ""
    return ArraySpec(expression=compact(kept) + throttle)


def compact(indices: Iterable[int]) -> str:
    """Rising indices as sbatch writes them: `0-2,5`."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in parts)


def first_missing(wanted: ArraySpec, array: ArraySpec) -> int | None:
    """The first task of `wanted` that the array does not have; None when it has all of them."""
    there = TaskSet([array])
    return next((index for index in wanted.indices() if index not in there), None)
