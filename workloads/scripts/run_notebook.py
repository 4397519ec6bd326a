"""Run a notebook from its first cell to its last: `python run_notebook.py PARAMETERS.json`.

Leaves executed.ipynb, kept up to date after each cell, executed.html, result.json, and traceback.txt when a
cell failed. The kernel is this Python; it is spoken to through sockets in a folder of this account alone,
since Jupyter's usual TCP ports tell what cells print to everybody on the node.

Exit codes: 0 all cells ran, 1 a cell failed, 64 wrong parameters or no notebook, 69 a Python package is
missing, 70 the kernel died.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

EXIT_CELL_FAILED = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_KERNEL_DIED = 70

EXECUTED = Path("executed.ipynb")
PAGE = Path("executed.html")
RESULT = Path("result.json")
TRACEBACK = Path("traceback.txt")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def fail(code: int, message: str) -> NoReturn:
    """End with a message for the job's log."""
    print(f"run_notebook: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    sys.exit(code)


# Short, for the path of a socket holds 107 characters, and for this account alone.
PRIVATE = tempfile.mkdtemp(prefix="nb-", dir="/tmp")
os.environ |= {"IPYTHONDIR": PRIVATE, "JUPYTER_RUNTIME_DIR": PRIVATE, "JUPYTER_PLATFORM_DIRS": "1"}

try:
    import ipykernel  # noqa: F401 - the kernel that is started
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbconvert import HTMLExporter
    from traitlets.config import Config
except ImportError as error:
    shutil.rmtree(PRIVATE, ignore_errors=True)
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        "pip install nbclient nbconvert ipykernel",
    )


@dataclass(frozen=True)
class Parameters:
    """What parameters.json must hold."""

    notebook: str
    values: dict[str, Any]
    """By variable; JSON values."""


@dataclass
class Run:
    """How far a notebook has come."""

    notebook: Any
    numbers: dict[int, int]
    """What people call a cell, counted from 1 without the one that we put in, by its index."""
    began: float = field(default_factory=time.monotonic)
    number: int = 1
    """Of the cell that runs."""
    done: int = 0
    error: dict[str, Any] | None = None

    def starts(self, cell: Any, cell_index: int) -> None:  # noqa: ANN401 - a dictionary of nbformat
        """Say so in the log."""
        self.number = self.numbers.get(cell_index, self.number)
        if cell["cell_type"] == "code" and cell_index in self.numbers:
            print(f"[cell {self.number} of {len(self.numbers)}]", flush=True)  # noqa: T201 - the job's log

    def ended(self, cell: Any, cell_index: int, execute_reply: Any) -> None:  # noqa: ANN401 - as above
        """Show what it printed, and keep what there is."""
        self.done += cell_index in self.numbers and execute_reply["content"]["status"] == "ok"
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                print(output["text"], end="", flush=True)  # noqa: T201 - the job's log
        self.keep()

    def failed(self, kind: str, message: str, trace: str) -> None:
        """Why it goes no further."""
        self.error = {"cell": self.number, "type": kind, "message": message[:2000]}
        write(TRACEBACK, trace + "\n")
        print(trace, file=sys.stderr, flush=True)  # noqa: T201 - the job's log

    def keep(self, *, is_over: bool = False) -> None:
        """Whole or not at all, whenever we are killed."""
        write(EXECUTED, nbformat.writes(self.notebook))  # type: ignore[no-untyped-call]
        cells = (self.notebook["cells"][index] for index in self.numbers)
        facts = {
            "cells": sum(cell["cell_type"] == "code" for cell in cells),
            "cells_done": self.done,
            "error": self.error,
            "is_over": is_over,
        }
        write(RESULT, json.dumps({**facts, "seconds": round(time.monotonic() - self.began, 3)}) + "\n")


def main() -> None:
    """Run it; whatever happens, what there is of it is left behind, and the kernel is not."""
    try:
        parameters = read_parameters()
        notebook = read_notebook(Path(parameters.notebook))
        # Its modules lie beside it, as in Jupyter; what it writes goes to the job's folder.
        beside = os.path.dirname(os.path.abspath(parameters.notebook))  # noqa: PTH100, PTH120 - a text
        os.environ["PYTHONPATH"] = f"{beside}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
        run = Run(notebook, inject(notebook, parameters.values))
        code = asyncio.run(execute(run))
        run.keep(is_over=code in (0, EXIT_CELL_FAILED, EXIT_KERNEL_DIED))
        exporter = HTMLExporter(template_name="lab", embed_images=True)  # type: ignore[no-untyped-call]
        write(PAGE, exporter.from_notebook_node(notebook)[0])
    finally:
        shutil.rmtree(PRIVATE, ignore_errors=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def read_parameters() -> Parameters:
    """The file that the command line names."""
    try:
        return Parameters(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except (IndexError, OSError, ValueError, TypeError) as error:
        fail(EXIT_USAGE, f"cannot read the parameters: {error}")


def read_notebook(path: Path) -> Any:  # noqa: ANN401 - a dictionary of nbformat
    """A notebook of Python, in the newest format, without what an earlier run left in it."""
    try:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - nbformat raises what its parsers do
        fail(EXIT_USAGE, f"cannot read {path} as a notebook: {str(error).splitlines()[0][:300]}")
    about = notebook["metadata"]
    language = about.get("kernelspec", {}).get("language") or about.get("language_info", {}).get("name")
    if language not in (None, "python"):
        fail(EXIT_USAGE, f"{path} is a notebook of {language}; only those of Python can be run")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def inject(notebook: Any, values: dict[str, Any]) -> dict[int, int]:  # noqa: ANN401 - as above
    """Put a cell with the values behind the one tagged `parameters`, as papermill does, or before all.

    A value stands there as a literal of Python, whatever it is. The result says what people call each cell.
    """
    cells = notebook["cells"]
    numbers = list(range(1, len(cells) + 1))
    if values:
        tags = [cell["metadata"].get("tags", ()) for cell in cells]
        at = next((index + 1 for index, names in enumerate(tags) if "parameters" in names), 0)
        source = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        text = f"# Parameters of the job\n{source}".rstrip()
        cell = nbformat.v4.new_code_cell(text)  # type: ignore[no-untyped-call]
        cell["metadata"]["tags"] = ["injected-parameters"]
        cells.insert(at, cell)
        numbers.insert(at, 0)
    return {index: number for index, number in enumerate(numbers) if number}


async def execute(run: Run) -> int:
    """Run all cells; the exit code, negative when a signal ended it."""
    settings = Config({"AsyncKernelManager": {"transport": "ipc", "ip": f"{PRIVATE}/kernel"}})
    heard: list[int] = []
    task = asyncio.current_task()

    def stop(number: int) -> None:
        heard.append(number)
        if task:
            task.cancel()

    def listen(**_: object) -> None:
        """Take the signals from nbclient, which would lose its kernel and wait for it all the same."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)

    client = NotebookClient(
        run.notebook,
        kernel_name="python3",
        timeout=None,
        config=settings,
        on_notebook_start=listen,
        on_cell_start=run.starts,
        on_cell_executed=run.ended,
    )
    try:
        await client.async_execute()
    except CellExecutionError as error:
        run.failed(error.ename, error.evalue, _COLOURS.sub("", error.traceback).strip())
        return EXIT_CELL_FAILED
    except (DeadKernelError, asyncio.CancelledError):
        if heard:  # nbclient calls the kernel dead whenever it is interrupted
            return -heard[-1]
        message = "the kernel died; it may have used more memory than the job has"
        run.failed("DeadKernelError", message, f"run_notebook: {message}")
        return EXIT_KERNEL_DIED
    return 0


def write(path: Path, text: str) -> None:
    """Beside the file, then rename over it. What UTF-8 cannot say becomes a question mark."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8", errors="replace")
    temporary.replace(path)


if __name__ == "__main__":
    main()
