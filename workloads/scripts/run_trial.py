"""One trial of a sweep of any program: `python sweep/run_trial.py sweep/sweep.json`, in each array task.

Starts the program in trials/TASK with values of its own: those that the sweep's file has for this task, or
values that Optuna draws from all trials so far. They are arguments, variables (HPC_VALUE_NAME) and a JSON
file (HPC_TRIAL_VALUES). What the program reports of its objective goes to results/TASK.json and to the
others; a trial that is worse than they were at the same step is stopped by SIGTERM. Told to stop, so is the
program; then this ends with 75, "run me again", and run again it has the same values.

Exit codes: 0 the program ended, or was stopped as hopeless; 65 it reported no number; 69 Optuna is missing;
75 run me again; any other is the program's own, 128 + N where signal N ended it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

# They lie beside this file in a job.
from own_process import start_program  # type: ignore[import-not-found]
from trial_metrics import Reported  # type: ignore[import-not-found]

EXIT_DATA = 65
EXIT_UNAVAILABLE = 69
EXIT_RUN_AGAIN = 75
POLL_SECONDS = 0.2
GRACE_SECONDS = 30
MOST_POINTS = 2000


class Stop:
    """Remembers that a signal asked us to stop."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number = number


@dataclass
class Result:
    """What results/TASK.json says: all that is known of this trial."""

    path: Path
    values: dict[str, Any] | None = None
    points: list[list[float]] = field(default_factory=list)
    best: float | None = None
    end: str = ""
    message: str = ""

    def write(self) -> None:
        """Whole or not at all; of very many points every n-th."""
        every = -(-len(self.points) // MOST_POINTS) or 1
        told = asdict(self) | {"points": self.points[::every]}
        del told["path"]
        self.path.parent.mkdir(exist_ok=True)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(told) + "\n", encoding="utf-8")
        temporary.replace(self.path)


def main() -> int:
    """Run this task's trial, unless an earlier run did; the exit code."""
    stop = Stop()
    sweep = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    task = os.environ["HPC_ARRAY_TASK_ID"]
    result = read_result(Path("results") / f"{task}.json")
    if result.end in ("done", "pruned"):
        return 0
    values = result.values or sweep["values"].get(task)
    shared = None
    if sweep["search"] == "tpe" or sweep["pruning"] != "none":
        shared = share_trial(sweep, int(task), values)
        values = shared.values
    result.values, result.end, result.message = values, shared.ended if shared else "", ""
    if result.end:  # the others know it, and this file did not yet
        result.write()
        return 0
    result.points, result.best = [], None
    result.write()
    folder = Path("trials") / task
    if not sweep["resumes"]:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return Trial(sweep, result, shared, folder).run(stop)


def read_result(path: Path) -> Result:
    """What an earlier run of this task left."""
    if not path.exists():
        return Result(path)
    return Result(path, **json.loads(path.read_text(encoding="utf-8")))


def share_trial(sweep: dict[str, Any], task: int, values: dict[str, Any] | None) -> Any:  # noqa: ANN401
    """The trial as the other tasks see it; needs Optuna, which not every sweep does."""
    try:
        from shared_trial import SharedTrial  # type: ignore[import-not-found] # noqa: PLC0415
    except ImportError as error:
        sys.stderr.write(
            f"run_trial: the Python package {error.name} is missing on this node. Install it for "
            f"{sys.executable} with: pip install {error.name}\n"
        )
        sys.exit(EXIT_UNAVAILABLE)
    return SharedTrial(Path("sweep.journal").absolute(), sweep, task, values)


class Trial:
    """The program while it runs."""

    def __init__(self, sweep: dict[str, Any], result: Result, shared: Any, folder: Path) -> None:  # noqa: ANN401
        self.sweep, self.result, self.shared, self.folder = sweep, result, shared, folder
        self.reported = Reported(folder, sweep["objective"])
        self.is_pruned = False

    def run(self, stop: Stop) -> int:
        """Start it and follow it to its end; the exit code."""
        if stop.number:
            return EXIT_RUN_AGAIN
        try:
            process = self.start()
        except OSError as error:
            sys.stderr.write(f"run_trial: cannot start {self.sweep['program']}: {error.strerror}\n")
            return self.fail(127, f"cannot start {self.sweep['program']}: {error.strerror}")
        echo = threading.Thread(target=self.echo, args=(process,), daemon=True)
        echo.start()
        self.follow(process, stop)
        echo.join(timeout=1)  # longer only where something that it started goes on writing
        return self.judge(process.returncode, was_told=bool(stop.number))

    def start(self) -> "subprocess.Popen[bytes]":
        """The program with its values; it does not outlive this process."""
        values = self.result.values or {}
        file = self.folder.absolute() / "values.json"
        file.write_text(json.dumps(values) + "\n", encoding="utf-8")
        named = {
            f"HPC_VALUE_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}": str(values[name]) for name in values
        }
        process: subprocess.Popen[bytes] = start_program(
            self.sweep["program"],
            [*self.sweep["arguments"], *as_arguments(values, self.sweep["values_as"])],
            self.folder,
            {**named, "HPC_TRIAL_VALUES": str(file)},
            stderr=subprocess.PIPE,
        )
        return process

    def echo(self, process: "subprocess.Popen[bytes]") -> None:
        """Its error output goes on to ours; the last line is kept."""
        for line in process.stderr or ():
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            if line.strip():
                self.result.message = line.decode("utf-8", errors="replace").strip()[:300]

    def follow(self, process: "subprocess.Popen[bytes]", stop: Stop) -> None:
        """Until it has ended: note what it reports, pass signals on, stop it when it is hopeless."""
        is_told = False
        while True:
            has_ended = process.poll() is not None  # before reading: then nothing that it wrote is missed
            if self.note() and not has_ended and self.shared is not None and self.shared.is_hopeless():
                self.is_pruned = True
                end(process)
                return
            if has_ended:
                return
            if stop.number and not is_told:
                is_told = True
                process.send_signal(stop.number)
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def note(self) -> bool:
        """Whether it has reported something new, which is then told to everybody."""
        fresh = self.reported.read()
        if fresh:
            for step, value in fresh if self.shared is not None else ():
                self.shared.report(step, value)
            choose = max if self.sweep["direction"] == "maximize" else min
            self.result.points = [[step, value] for step, value in sorted(self.reported.points.items())]
            self.result.best = choose(self.reported.points.values())
            self.result.write()
        return bool(fresh)

    def judge(self, code: int, *, was_told: bool) -> int:
        """Write how it ended, tell the others, and say so by the exit code."""
        if self.is_pruned:
            self.shared.prune()
            return self.finish("pruned")
        if code == EXIT_RUN_AGAIN or (was_told and code != 0):
            return EXIT_RUN_AGAIN
        if code != 0:
            return self.fail(code if code > 0 else 128 - code, self.result.message)
        if self.result.best is None or not self.reported.points:
            objective = self.sweep["objective"]
            text = f"the program reported no number {objective!r} in metrics.jsonl or TensorBoard's files"
            sys.stderr.write(f"run_trial: {text}\n")
            return self.fail(EXIT_DATA, text)
        if self.shared is not None:
            self.shared.finish(self.result.best)
        return self.finish("done")

    def finish(self, how: str) -> int:
        """It counts."""
        self.result.end, self.result.message = how, ""
        self.result.write()
        return 0

    def fail(self, code: int, message: str) -> int:
        """It does not count; run again it is tried anew."""
        if self.shared is not None:
            self.shared.fail()
        self.result.end, self.result.message = "failed", message
        self.result.write()
        return code


def as_arguments(values: dict[str, Any], style: str) -> list[str]:
    """The values as the program wants them on its command line."""
    match style:
        case "--name=value":
            return [f"--{name}={value}" for name, value in values.items()]
        case "--name value":
            return [word for name, value in values.items() for word in (f"--{name}", str(value))]
        case "name=value":
            return [f"{name}={value}" for name, value in values.items()]
    return []


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL to what does not listen."""
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
