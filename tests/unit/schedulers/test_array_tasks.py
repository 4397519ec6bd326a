"""Arithmetic with array tasks, without listing a million of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.array_tasks import TaskSet, compact, first_missing, without
from schedulers.jobspec import ArraySpec


def array(expression: str) -> ArraySpec:
    return ArraySpec(expression=expression)


@pytest.mark.parametrize(
    ("whole", "dropped", "left"),
    [
        ("0-9", "3-7", "0-2,8-9"),
        ("0-9%4", "0", "1-9%4"),
        ("0-8:2", "2,6", "0,4,8"),
        ("0-9", "20-30", "0-9"),
        ("5", "6", "5"),
    ],
)
def test_what_is_left_keeps_its_throttle(whole: str, dropped: str, left: str) -> None:
    rest = without(array(whole), array(dropped))
    assert rest
    assert rest.expression == left


def test_of_an_array_that_loses_all_its_tasks_nothing_is_left() -> None:
    assert without(array("2-4"), array("0-9")) is None


def test_the_first_task_that_is_not_there_is_named() -> None:
    assert first_missing(array("0-4,7"), array("0-5")) == 7
    assert first_missing(array("2,4"), array("0-8:2")) is None


def test_membership_does_not_depend_on_the_size() -> None:
    many = TaskSet([array("0-999999:2"), array("1,3")])
    assert 999_998 in many
    assert 3 in many
    assert 5 not in many
    assert 1_000_000 not in many
    assert not TaskSet()
    assert 4 in TaskSet().plus(TaskSet([array("4")]))


TASKS = st.sets(st.integers(0, 60), min_size=1).map(sorted)


@given(TASKS, TASKS)
def test_as_sets_do_it(whole: list[int], dropped: list[int]) -> None:
    spec, gone = array(compact(whole)), array(compact(dropped))
    assert list(spec.indices()) == whole
    rest = without(spec, gone)
    assert set(rest.indices() if rest else ()) == set(whole) - set(dropped)
    assert [task for task in range(62) if task in TaskSet([spec])] == whole
