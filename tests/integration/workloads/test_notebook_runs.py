"""Notebooks that really run: values arrive as they are, a failed cell is named, no kernel stays."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from schedulers.jobstate import JobState
from tests.integration.workloads.clusters import hand_in, one_dask_node
from tests.integration.workloads.runner import (
    finish,
    prepare,
    python_without_packages,
    run_task,
    start,
)
from tests.unit.workloads.hostile import TEXTS
from workloads.ai.notebook import Notebook
from workloads.template import Verdict

TEMPLATE = Notebook()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ECHO = """from pathlib import Path
Path("told.json").write_text(json.dumps([values, number, nothing]))"""
PORTS = """import psutil
found = [one for of in (psutil.Process(), psutil.Process().parent()) for one in of.net_connections("tcp")]
print("listening on", sum(one.status == psutil.CONN_LISTEN for one in found))"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def notebook(*sources: str) -> dict[str, Any]:
    """One of these cells, the first one with the parameters' defaults, and a module beside it."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    cells[0]["metadata"]["tags"] = ["parameters"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title"), *cells])  # type: ignore[no-untyped-call]
    written = nbformat.writes(made)  # type: ignore[no-untyped-call]
    return {"files": {"own/a.ipynb": written, "own/helper.py": ""}, "notebook": "own/a.ipynb"}


def run(workspace: Path, raw: dict[str, Any]) -> tuple[int, str]:
    spec = TEMPLATE.render(TEMPLATE.validate(raw))
    prepare(workspace, spec)
    ended = run_task(workspace, spec, path=PATH)
    return ended.exit_code, ended.output


def kernels(workspace: Path) -> list[psutil.Process]:
    """Those of the job that works there; other tests may run jobs of the same id at this moment."""
    found = []
    for process in psutil.process_iter():
        try:
            if "ipykernel" in " ".join(process.cmdline()) and Path(process.cwd()).is_relative_to(workspace):
                found.append(process)
        except psutil.Error:
            continue
    return found


def stragglers(workspace: Path) -> list[psutil.Process]:
    """Those that do not end a moment after the job."""
    return list(psutil.wait_procs(kernels(workspace), timeout=30)[1])


def test_hostile_values_arrive_as_they_are_and_a_failed_cell_is_named(tmp_path: Path) -> None:
    hostile = [text for text in TEXTS if len(text) < 1000]
    raw = {
        **notebook(
            "import json, helper\nvalues, number, nothing = [], 0, 1",
            ECHO,
            PORTS,
            "raise ValueError('seed 42')",
            "1",
        ),
        "values": {"values": json.dumps(hostile), "number": "0.5", "nothing": "null"},
    }
    code, output = run(tmp_path, raw)
    assert code == 1, output
    assert json.loads((tmp_path / "told.json").read_text()) == [hostile, 0.5, None]
    assert not list(tmp_path.rglob("INJECTED*"))
    # ipykernel takes what forked processes print at a port of its own, which tells nobody anything.
    assert "listening on 1\n" in output
    found = TEMPLATE.parse(tmp_path, TEMPLATE.validate(raw))
    assert {one.name: one.value for one in found.metrics}["cells_done"] == 3
    [task] = found.tasks
    assert task.failure
    assert (task.verdict, task.failure.signature) == (Verdict.FAIL, "cell 5: ValueError: seed *")
    assert (
        "ValueError: seed 42"
        in (tmp_path / "traceback.txt").read_text().splitlines()[task.failure.line_number - 1]
    )
    assert {one.path for one in task.artefacts} == {"executed.html", "executed.ipynb", "traceback.txt"}
    assert "Parameters of the job" in (tmp_path / "executed.html").read_text()
    executed = nbformat.read(tmp_path / "executed.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert [cell.get("execution_count") for cell in executed.cells] == [None, 1, 2, 3, 4, 5, None]
    assert stragglers(tmp_path) == []


@pytest.mark.anyio
async def test_on_the_portal_s_own_cluster_the_example_agrees_with_the_closed_form_and_draws_a_curve() -> (
    None
):
    async with one_dask_node() as bench:
        job = await hand_in(bench, TEMPLATE.render(TEMPLATE.validate({})))
        (ended,) = await job.ended()
        assert ended.state is JobState.COMPLETED, job.output
        found = TEMPLATE.parse(job.workspace, TEMPLATE.validate({}))
        assert [task.verdict for task in found.tasks] == [Verdict.PASS]
        assert [(one.name, len(one.points)) for one in found.series] == [("error", 20)]
        assert job.stragglers() == []


def test_a_notebook_that_is_ended_leaves_what_it_had_and_no_kernel(tmp_path: Path) -> None:
    source = "import time\nfrom pathlib import Path\nPath('ready').touch()\ntime.sleep(600)"
    spec = TEMPLATE.render(TEMPLATE.validate(notebook("print('first')", source)))
    prepare(tmp_path, spec)
    process = start(tmp_path, spec, path=PATH)
    deadline = time.monotonic() + 240
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, (tmp_path / ".out-0").read_text()
        time.sleep(0.02)
    assert kernels(tmp_path)
    process.send_signal(signal.SIGTERM)
    ended = finish(tmp_path, process)
    assert ended.exit_code == -signal.SIGTERM, ended.output
    assert "first" in (tmp_path / "executed.html").read_text()
    assert TEMPLATE.parse(tmp_path, TEMPLATE.validate({})).tasks == ()
    assert stragglers(tmp_path) == []


@pytest.mark.parametrize(("text", "words"), [("", "cannot read"), ('{"nbformat": 4}', "cannot read")])
def test_a_file_that_is_no_notebook_is_said_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "none.ipynb"
    path.write_text(text)
    code, output = run(tmp_path, {"notebook": str(path)})
    assert (code, words in output) == (64, True), output


def test_what_a_node_lacks_is_named(tmp_path: Path) -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({}))
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec, path=python_without_packages(tmp_path / "tools"))
    assert (ended.exit_code, "the Python package ipykernel is missing" in ended.output) == (69, True), (
        ended.output
    )
