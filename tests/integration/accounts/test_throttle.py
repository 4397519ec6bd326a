"""Guessing passwords gets slower and slower on every web process; honest people hardly notice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from hpc_portal.app.accounts.tables import SignInFailures
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.known_browsers import remember_browser
from hpc_portal.auth.throttle import SignInThrottle
from schedulers.memory import ManualClock
from tests.small_city import City, build_city

HERE, THERE = "10.0.0.1", "10.0.0.2"
NAME = "chips-member"


class Guesses:
    """A city with two web processes, and a clock that the test moves."""

    def __init__(self, city: City, clock: ManualClock) -> None:
        self.city = city
        self.clock = clock
        self.processes = SignInThrottle(city.services), SignInThrottle(city.services)

    def fail(self, times: int, name: str = NAME, address: str = HERE, browser: str = "") -> None:
        """Guess wrong, as soon as one may, at either process in turn."""
        for number in range(times):
            throttle = self.processes[number % 2]
            try:
                turn = throttle.take_turn(name, address, browser=browser)
            except TooManyAttempts as error:
                self.clock.advance(error.retry_after_seconds)
                turn = throttle.take_turn(name, address, browser=browser)
            throttle.failed(turn)

    def wait(self, name: str = NAME, address: str = HERE, browser: str = "") -> int:
        """How long one has to wait; who need not has failed once more."""
        try:
            self.processes[0].take_turn(name, address, browser=browser)
        except TooManyAttempts as error:
            return error.retry_after_seconds
        return 0


@pytest.fixture
def guesses(database_url: str, tmp_path: Path) -> Iterator[Guesses]:
    """Once on SQLite, once on PostgreSQL."""
    clock = ManualClock()
    city = build_city(database_url, tmp_path, clock=clock)
    yield Guesses(city, clock)
    city.services.commits.close()
    city.services.engine.dispose()


def test_a_few_mistakes_cost_nothing_then_waits_double_over_both_processes(guesses: Guesses) -> None:
    guesses.fail(4)
    assert guesses.wait() == 0
    waits = []
    for _ in range(4):
        waits.append(guesses.wait())
        guesses.fail(1)
    assert waits == [2, 3, 5, 9]
    guesses.fail(8)
    assert guesses.wait() == 301


def test_success_forgets_and_so_does_time(guesses: Guesses) -> None:
    throttle = guesses.processes[0]
    guesses.fail(4)
    throttle.succeeded(throttle.take_turn(NAME, HERE))
    guesses.fail(4)
    guesses.clock.advance(901)
    guesses.fail(4)
    assert guesses.wait() == 0


def test_many_at_once_are_no_more_than_one_after_another(guesses: Guesses) -> None:
    def attempt(number: int) -> bool:
        try:
            guesses.processes[number % 2].take_turn(NAME, HERE)
        except TooManyAttempts:
            return False
        return True

    guesses.fail(1)
    with ThreadPoolExecutor(8) as pool:
        let_in = list(pool.map(attempt, range(24)))
    assert sum(let_in) == 4


def test_one_persons_guesser_does_not_lock_others_out(guesses: Guesses) -> None:
    guesses.fail(12)
    assert guesses.wait("chips-lead") == 0
    assert guesses.wait(address=THERE) == 0


def test_one_address_that_tries_many_names_is_slowed_down(guesses: Guesses) -> None:
    for number in range(51):
        guesses.fail(1, name=f"user{number}")
    assert guesses.wait("chips-lead") > 0
    assert guesses.wait("chips-lead", THERE) == 0


def test_a_guesser_with_many_addresses_has_one_try_from_each(guesses: Guesses) -> None:
    for number in range(100):
        guesses.fail(1, address=f"10.1.0.{number}")
    assert guesses.wait(address=THERE) == 0, "whoever has not failed here may always try"
    assert guesses.wait(address=THERE) > 0
    guesses.clock.advance(901)
    for number in range(5):
        guesses.fail(1, address=f"2001:db8::{number}")
    assert guesses.wait(address="2001:db8::ffff") > 0, "a whole network of one home is one address"
    assert guesses.wait(address="2001:db8:0:1::1") == 0


def test_a_browser_in_which_a_person_signed_in_before_is_not_theirs_to_lock(guesses: Guesses) -> None:
    services, member = guesses.city.services, guesses.city.chips.member
    browser = remember_browser(services, member.user_id, "")
    assert remember_browser(services, member.user_id, browser) == browser
    assert remember_browser(services, guesses.city.chips.lead.user_id, browser) != browser
    guesses.fail(60)
    assert guesses.wait() > 0
    assert guesses.wait(browser=browser) == 0
    assert guesses.wait("chips-lead", browser=browser) > 0, "of its own person only"
    guesses.fail(4, browser=browser)
    assert guesses.wait(browser=browser) > 0


def test_a_name_that_nobody_has_is_answered_alike_and_not_kept(guesses: Guesses) -> None:
    waits: dict[str, list[int]] = {}
    for name in (NAME, "a password in the wrong field"):
        guesses.fail(5, name=name, address=f"10.3.0.{len(waits)}")
        waits[name] = [guesses.wait(name, f"10.3.0.{len(waits)}") for _ in range(2)]
    assert len({tuple(found) for found in waits.values()}) == 1
    with guesses.city.services.engine.connect() as connection:
        keys = connection.execute(select(col(SignInFailures.key))).scalars().all()
    assert keys
    assert not [key for key in keys if "password" in key or NAME in key]


def test_a_success_takes_the_counters_in_the_same_order_as_an_attempt(guesses: Guesses) -> None:
    """Else the two deadlock, and people who sign in at the same moment wait for PostgreSQL to find out."""
    throttle = guesses.processes[0]
    taken: list[str] = []

    def note(*facts: Any) -> None:  # noqa: ANN401 - a hook of SQLAlchemy
        parameters = facts[3]
        values = parameters.values() if isinstance(parameters, dict) else parameters
        taken.extend(value for value in values if value in turn.keys)

    for number in range(8):
        turn = throttle.take_turn(f"name-{number}", HERE)
        event.listen(guesses.city.services.engine, "before_cursor_execute", note)
        throttle.succeeded(turn)
        event.remove(guesses.city.services.engine, "before_cursor_execute", note)
        assert taken == turn.keys
        taken.clear()
