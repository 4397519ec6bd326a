"""Runs a script as `python SCRIPT ARGUMENTS` does: `python dask_script.py EVENTS SCRIPT ARGUMENTS...`.

An error that ends it is noted in EVENTS besides, so that the job's results can name it and its line.
"""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from types import TracebackType


def main() -> None:
    """Become the script."""
    events, script, *arguments = sys.argv[1:]
    path = os.path.abspath(script)  # noqa: PTH100 - as Python shows it in tracebacks
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(path)  # noqa: PTH120 - as Python sets it

    def note_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        frames = traceback.extract_tb(trace)
        own = [index for index, frame in enumerate(frames) if frame.filename == path]
        for _ in range(own[0] if own else 0):  # what runs the script is none of its business
            trace = trace.tb_next if trace else None
        if isinstance(error, Exception):
            line = frames[own[-1]].lineno if own else getattr(error, "lineno", None)
            facts = {"event": "error", "type": kind.__name__, "message": str(error)[:2000], "line": line}
            with Path(events).open("a", encoding="utf-8") as file:
                file.write(json.dumps(facts) + "\n")
        sys.__excepthook__(kind, error.with_traceback(trace), trace)

    sys.excepthook = note_error
    runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    main()
