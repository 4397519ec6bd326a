"""Tests on a real GPU: `make gpu` runs them; without an NVIDIA GPU and CuPy they are skipped and say why."""

from pathlib import Path

import pytest

from tests.gpu import the_gpu


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here; fail at once where it was demanded."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if ours and (reason := the_gpu.why_not()):
        if the_gpu.is_demanded():
            raise pytest.UsageError(reason)
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))
