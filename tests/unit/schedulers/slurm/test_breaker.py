"""The breaker turns requests away while slurmrestd is down, and lets one at a time find out."""

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.slurm.breaker import Breaker


class Now:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def breaker(now: Now) -> Breaker:
    return Breaker(
        "slurmrestd", failures_to_open=3, first_pause_seconds=1, longest_pause_seconds=8, clock=now
    )


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.failed("connection refused")


def test_a_single_failure_is_no_reason_to_stop_asking(breaker: Breaker) -> None:
    fail(breaker, times=2)
    breaker.admit()


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not_count(breaker: Breaker) -> None:
    fail(breaker, times=2)
    breaker.succeeded()
    fail(breaker, times=2)
    assert not breaker.is_open
    fail(breaker)
    with pytest.raises(SchedulerUnavailable, match=r"slurmrestd does not answer.*connection refused"):
        breaker.admit()


def test_after_the_pause_one_request_probes_and_the_others_are_still_turned_away(
    breaker: Breaker, now: Now
) -> None:
    fail(breaker, times=3)
    now.seconds = 1.0
    breaker.admit()
    with pytest.raises(SchedulerUnavailable):
        breaker.admit()
    breaker.succeeded()
    breaker.admit()
    breaker.admit()


def test_each_failed_probe_doubles_the_pause_up_to_the_longest(breaker: Breaker, now: Now) -> None:
    fail(breaker, times=3)
    for pause in (1, 2, 4, 8, 8):
        now.seconds += pause - 0.001
        assert breaker.is_open
        now.seconds += 0.001
        fail(breaker)


def test_after_an_answer_the_pause_is_short_again(breaker: Breaker, now: Now) -> None:
    fail(breaker, times=3)
    now.seconds = 1.0
    fail(breaker)
    now.seconds = 3.0
    breaker.admit()
    breaker.succeeded()
    fail(breaker, times=3)
    now.seconds += 1.0
    assert not breaker.is_open


def test_requests_that_were_under_way_do_not_lengthen_the_pause(breaker: Breaker, now: Now) -> None:
    for _ in range(10):
        breaker.admit()
    for _ in range(10):
        breaker.failed("connection reset")
    now.seconds = 1.0
    assert not breaker.is_open


def test_a_probe_that_was_given_up_lets_another_one_probe(breaker: Breaker, now: Now) -> None:
    fail(breaker, times=3)
    now.seconds = 1.0
    breaker.admit()
    breaker.abandoned()
    breaker.admit()
