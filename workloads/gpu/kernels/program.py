"""What the programs of this folder share: reading parameters, writing results, ending with a clear word."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_UNAVAILABLE = 69


def fail(code: int, message: str, *, missing: str = "") -> NoReturn:
    """End with a message, in the job's log and in failure.json; codes are those of sysexits.h."""
    write_result("failure.json", {"exit_code": code, "line": message, "missing": missing})
    say(f"error: {message}")
    sys.exit(code)


def fail_missing(error: ImportError) -> NoReturn:
    """End because this node's Python lacks a package."""
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        f"pip install {error.name}",
        missing=str(error.name),
    )


def say(text: str) -> None:
    """Into the job's log, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def read_parameters() -> dict[str, Any]:
    """The JSON object in the file that the command line names."""
    try:
        found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    except (IndexError, OSError, ValueError) as error:
        fail(EXIT_USAGE, f"cannot read the parameters: {error}")
    if not isinstance(found, dict):
        fail(EXIT_USAGE, "the parameters are no JSON object")
    return found


def read_input(path: str) -> str:
    """A design file."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        fail(EXIT_DATA, f"cannot read {path}: {error.strerror}")


def write_result(path: str, result: object) -> None:
    """Whole or not at all."""
    temporary = Path(path + ".new")
    temporary.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
