"""Started tasks find their array, with one light call for each array of which tasks have started."""

import asyncio
from collections.abc import Mapping
from typing import Any

from schedulers.slurm.array_tasks import ArrayTasks


class Slurmctld:
    """Arrays by number: for each task the number of its record, as the real one lists them."""

    def __init__(self, arrays: Mapping[int, Mapping[int, int]], plain: tuple[int, ...] = ()) -> None:
        self.arrays = {array: dict(tasks) for array, tasks in arrays.items()}
        self.plain = plain
        self.asked: list[int] = []

    def start(self, array: int, task: int, record: int) -> None:
        self.arrays[array][task] = record

    def lines(self) -> list[dict[str, Any]]:
        return [
            *({"job_id": str(job), "state": ["RUNNING"]} for job in self.plain),
            *(self._line(record, task) for tasks in self.arrays.values() for task, record in tasks.items()),
        ]

    async def of_array(self, number: int) -> list[Mapping[str, Any]]:
        self.asked.append(number)
        if number in self.arrays:
            return [self._line(record, task) for task, record in self.arrays[number].items()]
        return [line for line in self.lines() if line["job_id"].startswith(f"{number}_")]

    def _line(self, record: int, task: int) -> dict[str, Any]:
        return {"job_id": f"{record}_{task}", "state": ["RUNNING"]}


def look(tasks: ArrayTasks, slurmctld: Slurmctld) -> set[str]:
    slurmctld.asked.clear()
    return {entry.job_id for entry in asyncio.run(tasks.entries(slurmctld.lines(), slurmctld.of_array))}


def test_jobs_and_waiting_tasks_need_no_further_call() -> None:
    slurmctld = Slurmctld({37: {0: 37, 1: 37, 2: 37}}, plain=(12,))
    assert look(ArrayTasks(), slurmctld) == {"12", "37_0", "37_1", "37_2"}
    assert slurmctld.asked == []


def test_a_task_that_started_costs_one_call_for_its_array_once() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 37, 1: 37, 2: 37}, 38: {0: 38, 1: 38}}), ArrayTasks()
    look(tasks, slurmctld)
    slurmctld.start(37, 0, record=40)
    assert look(tasks, slurmctld) == {"37_0", "37_1", "37_2", "38_0", "38_1"}
    assert slurmctld.asked == [37]
    look(tasks, slurmctld)
    assert slurmctld.asked == []


def test_the_last_task_keeps_the_number_of_its_array() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 37, 1: 37}}), ArrayTasks()
    look(tasks, slurmctld)
    slurmctld.start(37, 0, record=40)
    look(tasks, slurmctld)
    assert look(tasks, slurmctld) == {"37_0", "37_1"}


def test_arrays_of_which_every_task_has_started_are_told_apart_at_the_first_look() -> None:
    arrays = {37: {0: 40, 1: 41, 2: 37}, 38: {0: 42, 1: 43, 2: 38}, 39: {7: 39}}
    slurmctld = Slurmctld(arrays)
    entries = look(ArrayTasks(), slurmctld)
    assert entries == {"37_0", "37_1", "37_2", "38_0", "38_1", "38_2", "39_7"}
    assert sorted(slurmctld.asked) == [37, 38, 39]


def test_two_arrays_that_start_the_same_task_at_once_are_told_apart() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 37, 1: 37, 2: 37}, 38: {0: 38, 1: 38, 2: 38}}), ArrayTasks()
    look(tasks, slurmctld)
    slurmctld.start(37, 0, record=40)
    slurmctld.start(38, 0, record=41)
    assert look(tasks, slurmctld) == {f"{array}_{task}" for array in (37, 38) for task in range(3)}
    assert sorted(slurmctld.asked) == [37, 38]


def test_a_task_that_was_cancelled_while_another_array_starts_the_same_one_misleads_nobody() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 37, 1: 37, 2: 37}}), ArrayTasks()
    look(tasks, slurmctld)
    del slurmctld.arrays[37][0]
    slurmctld.arrays[38] = {0: 40, 1: 38, 2: 38}
    assert look(tasks, slurmctld) == {"37_1", "37_2", "38_0", "38_1", "38_2"}


def test_an_array_that_came_and_started_between_two_looks_is_found() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 37, 1: 37}}), ArrayTasks()
    look(tasks, slurmctld)
    slurmctld.arrays[50] = {0: 51, 1: 50}
    assert look(tasks, slurmctld) == {"37_0", "37_1", "50_0", "50_1"}


def test_entries_name_the_record_beside_the_task() -> None:
    slurmctld = Slurmctld({37: {0: 40, 1: 37, 2: 37}})
    entries = asyncio.run(ArrayTasks().entries(slurmctld.lines(), slurmctld.of_array))
    assert [(entry.job_id, entry.record_id) for entry in entries] == [
        ("37_0", 40),
        ("37_1", 37),
        ("37_2", 37),
    ]


def test_numbers_of_arrays_that_are_gone_are_forgotten() -> None:
    slurmctld, tasks = Slurmctld({37: {0: 40, 1: 37}}), ArrayTasks()
    look(tasks, slurmctld)
    slurmctld.arrays = {}
    look(tasks, slurmctld)
    slurmctld.arrays = {40: {0: 40, 1: 40}}
    assert look(tasks, slurmctld) == {"40_0", "40_1"}


def test_v0_0_40_tells_the_array_itself() -> None:
    lines: list[dict[str, Any]] = [
        {"job_id": "37_0", "array_job_id": "37", "state": ["RUNNING"]},
        {"job_id": "12", "state": []},
    ]
    slurmctld = Slurmctld({})
    entries = asyncio.run(ArrayTasks().entries(lines, slurmctld.of_array))
    assert [entry.job_id for entry in entries] == ["37_0", "12"]
    assert slurmctld.asked == []


def test_a_line_that_is_no_number_is_left_out() -> None:
    lines: list[dict[str, Any]] = [
        {"job_id": ""},
        {"job_id": "x_1"},
        {"job_id": "44+0", "state": ["PENDING"]},
    ]
    slurmctld = Slurmctld({})
    entries = asyncio.run(ArrayTasks().entries(lines, slurmctld.of_array))
    assert [(entry.job_id, entry.record_id) for entry in entries] == [("44+0", 44)]
