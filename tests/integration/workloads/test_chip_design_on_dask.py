"""Chip-design templates on the embedded cluster's node, which tells what its jobs would find."""

import pytest

from schedulers.jobstate import JobState
from tests.integration.workloads.clusters import hand_in, one_dask_node
from workloads.catalog import CATALOG
from workloads.template import Verdict

pytestmark = pytest.mark.anyio

RUNS = (
    ("fpga", {"device": "hx1k", "package": "tq144", "seeds": 1}),
    ("vhdl", {"seeds": 1}),
    ("characterisation", {"cells": ["inv_x1 y=!a"]}),
    ("rtl-regression", {"cocotb": ["test_fifo"], "top": "fifo", "tests": ["balanced"], "seeds": 1}),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_each_example_passes_on_a_node() -> None:
    async with one_dask_node() as bench:
        given = []
        for name, raw in RUNS:
            template = CATALOG[name]
            params = template.validate(raw)
            given.append((template, params, await hand_in(bench, template.render(params))))
        for template, params, job in given:
            ended = await job.ended()
            results = template.parse(job.workspace, params)
            assert [task.verdict for task in results.tasks] == [Verdict.PASS], (template.name, results.tasks)
            assert [run.state for run in ended] == [JobState.COMPLETED]
