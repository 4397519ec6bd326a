"""How many examples of hostile calls are tried, and which: the same ones for the same seed."""

import os
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Example = TypeVar("Example")

EXAMPLES = int(os.environ.get("HPC_FUZZ_EXAMPLES", "1"))
"""Of each operation by each person, and so on; `make fuzz` chooses more."""
SEED = int(os.environ.get("HPC_FUZZ_SEED", "2026"))
"""Fixed, so that a change is the cause when it is red; `make fuzz` chooses others."""


def examples_of(strategy: st.SearchStrategy[Example], count: int = EXAMPLES) -> list[Example]:
    """So many, without looking at what comes of them."""
    found: list[Example] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(strategy)
    def collect(example: Example) -> None:
        found.append(example)

    collect()
    return found
