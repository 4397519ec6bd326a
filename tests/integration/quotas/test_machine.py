"""The ledger against a naive one, over hundreds of random steps with crashes between any two."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from tests.integration.quotas.machine import LedgerMachine

STEPS = {"sqlite": (20, 30), "postgresql": (5, 20)}
"""Examples, and steps in each. Derandomised: the same stories every time, so that CI is not a lottery."""


def test_the_ledger_agrees_with_a_naive_one_after_every_step(engine: Engine) -> None:
    examples, steps = STEPS[engine.dialect.name]
    machine = type("Machine", (LedgerMachine,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
