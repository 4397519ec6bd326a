"""Which array a started task belongs to: since v0.0.41 the light call GET /jobs/state does not say.

Tasks that have not started are listed under their array: `37_2`, `37_3`. Once a task starts it gets a record
with a number of its own and is listed as `40_2`; only the last task keeps its array's number. Asked for one
array alone, `?job_id=37`, the call lists all of its records: so numbers are matched with arrays, by one light
call for each array of which tasks have started since the last look.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from schedulers.slurm.wire import JobStateEntry

FetchArray = Callable[[int], Awaitable[list[Mapping[str, Any]]]]
"""The lines of one array; of one task, when the number is a started task's own."""


class _Line(NamedTuple):
    record_id: int
    task_index: int | None
    """None for a job that is no array."""
    array_id: str | None
    """Where the API version tells; then `text` names the array, too."""
    text: str
    state: tuple[str, ...]


class ArrayTasks:
    """Remembers the array of each record, as long as slurmctld lists the record."""

    def __init__(self) -> None:
        self._array_of: dict[int, int] = {}
        self._tasks_at_last_look: dict[int, set[int]] = {}
        """Array -> tasks listed under its own number."""

    async def entries(
        self, lines: Iterable[Mapping[str, Any]], fetch_array: FetchArray
    ) -> list[JobStateEntry]:
        """One entry for each line, with the array's number in the id of each of its tasks."""
        read = [line for line in map(_read_line, lines) if line is not None]
        tasks: dict[int, set[int]] = defaultdict(set)
        for line in read:
            if line.task_index is not None and line.array_id is None:
                tasks[line.record_id].add(line.task_index)
        self._array_of = {record: self._array_of[record] for record in tasks.keys() & self._array_of.keys()}
        await self._learn(tasks, fetch_array)
        self._tasks_at_last_look = {
            record: indices for record, indices in tasks.items() if self._array_of[record] == record
        }
        return [self._entry(line) for line in read]

    async def _learn(self, tasks: Mapping[int, set[int]], fetch_array: FetchArray) -> None:
        new = tasks.keys() - self._array_of.keys()
        # Only an array has several tasks under one number.
        new_arrays = {record for record in new if len(tasks[record]) > 1}
        self._array_of.update((record, record) for record in new_arrays)
        started = new - new_arrays
        if not started:
            return
        await self._look_at(new_arrays | self._arrays_that_lost_one_of(started, tasks), fetch_array)
        # An array's number is lower than those of its started tasks, so the lowest is an array.
        for record in sorted(started):
            if record not in self._array_of:
                await self._look_at({record}, fetch_array)
                self._array_of.setdefault(record, record)

    def _arrays_that_lost_one_of(self, started: Collection[int], tasks: Mapping[int, set[int]]) -> set[int]:
        indices = {index for record in started for index in tasks[record]}
        return {
            array
            for array, before in self._tasks_at_last_look.items()
            if (before - tasks.get(array, set())) & indices
        }

    async def _look_at(self, arrays: Collection[int], fetch_array: FetchArray) -> None:
        answers = await asyncio.gather(*(fetch_array(array) for array in arrays))
        for array, lines in zip(arrays, answers, strict=True):
            for line in map(_read_line, lines):
                if line is not None and line.task_index is not None:
                    self._array_of.setdefault(line.record_id, array)

    def _entry(self, line: _Line) -> JobStateEntry:
        if line.task_index is None or line.array_id is not None:
            return JobStateEntry(line.text, line.state, line.record_id)
        array = self._array_of[line.record_id]
        name = line.text if array == line.record_id else f"{array}_{line.task_index}"
        return JobStateEntry(name, line.state, line.record_id)


def _read_line(line: Mapping[str, Any]) -> _Line | None:
    """None for what is no job's number; tens of thousands are read each second, so it does little."""
    text = str(line.get("job_id", ""))
    state = tuple(line.get("state") or ())
    number, _, task = text.partition("_")
    if task.isdecimal() and number.isdecimal():
        return _Line(int(number), int(task), line.get("array_job_id"), text, state)
    number = number.partition("+")[0]
    return _Line(int(number), None, None, text, state) if number.isdecimal() else None
