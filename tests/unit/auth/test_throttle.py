"""Guessing passwords gets slower and slower; honest people hardly notice."""

from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.throttle import SignInThrottle


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def fail(throttle: SignInThrottle, times: int, name: str = "lan", address: str = "10.0.0.1") -> None:
    for _ in range(times):
        throttle.failed(name, address)


def wait_of(throttle: SignInThrottle, name: str = "lan", address: str = "10.0.0.1") -> int:
    try:
        throttle.require_turn(name, address)
    except TooManyAttempts as error:
        return error.retry_after_seconds
    return 0


def test_a_few_mistakes_cost_nothing_then_waits_double() -> None:
    throttle = SignInThrottle(Watch())
    fail(throttle, 4)
    assert wait_of(throttle) == 0
    waits = []
    for _ in range(4):
        fail(throttle, 1)
        waits.append(wait_of(throttle))
    assert waits == [2, 3, 5, 9]
    fail(throttle, 100)
    assert wait_of(throttle) == 301


def test_waiting_helps_and_success_forgets() -> None:
    watch = Watch()
    throttle = SignInThrottle(watch)
    fail(throttle, 5)
    watch.seconds += 2
    assert wait_of(throttle) == 0
    throttle.succeeded("lan", "10.0.0.1")
    fail(throttle, 4)
    assert wait_of(throttle) == 0


def test_one_persons_guesser_does_not_lock_others_out() -> None:
    throttle = SignInThrottle(Watch())
    fail(throttle, 20)
    assert wait_of(throttle, "minh") == 0
    assert wait_of(throttle, "lan", "10.0.0.2") == 0


def test_one_address_that_tries_many_names_is_slowed_down() -> None:
    throttle = SignInThrottle(Watch())
    for number in range(60):
        throttle.failed(f"user{number}", "10.0.0.1")
    assert wait_of(throttle, "minh") > 0
    assert wait_of(throttle, "minh", "10.0.0.2") == 0


def test_failures_are_forgotten_after_a_while() -> None:
    watch = Watch()
    throttle = SignInThrottle(watch)
    fail(throttle, 8)
    watch.seconds += 901
    fail(throttle, 1)
    assert wait_of(throttle) == 0
