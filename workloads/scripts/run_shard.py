"""One shard of a batch inference: `python inference/run_shard.py inference/inference.json`, in each task.

Starts the program with the shard's inputs, one a line, in the file that HPC_INPUTS names; the program
appends a JSON object for each to the file that HPC_OUTPUTS names: `{"input": ..., ...}`, or with an "error".
A program that dies is started again with the inputs that have no answer, fewer at a time, until the one that
it dies of stands alone and is named. Answers are kept when this is stopped; run again it does the rest.

Writes outputs/SHARD.jsonl, whole or not at all, then results/SHARD.json, which says that the shard is done;
the last shard writes merged.jsonl and summary.json.

Exit codes: 0 done, 65 there are no inputs, or the program fails for every one of them, 75 run me again.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from own_process import start_program  # type: ignore[import-not-found] # It lies beside this file in a job.

EXIT_DATA = 65
EXIT_RUN_AGAIN = 75
MOST_INPUTS = 10_000_000
MOST_BAD_IN_A_ROW = 3
MOST_NAMED = 100
POLL_SECONDS = 0.5
ALL_INPUTS = Path("inputs.txt")


def fail(message: str) -> NoReturn:
    """End with a message for the job's log."""
    sys.stderr.write(f"run_shard: {message}\n")
    sys.exit(EXIT_DATA)


class Stop:
    """Remembers that a signal asked us to stop, and passes it on to the program."""

    def __init__(self) -> None:
        self.number = 0
        self.process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number = number
        if self.process is not None:
            self.process.send_signal(number)


def main() -> int:
    """Answer what has no answer yet; the exit code."""
    stop = Stop()
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    shard, shards = int(os.environ["HPC_ARRAY_TASK_ID"]), asked["shards"]
    done = Path("results") / f"{shard}.json"
    if not done.exists():
        inputs = cut(freeze_inputs(asked), shard, shards)
        work = Work(asked, shard, inputs)
        began = time.monotonic()
        before = len(work.answers)
        if not work.finish(stop):
            if stop.number == signal.SIGUSR1 and len(work.answers) == before:
                fail("the time was over before a single input was answered; give more of it")
            return EXIT_RUN_AGAIN
        replace(Path("outputs") / f"{shard}.jsonl", lines(work.answers[one] for one in inputs))
        replace(done, json.dumps(summary(work.answers.values(), time.monotonic() - began)) + "\n")
    if all((Path("results") / f"{one}.json").exists() for one in range(shards)):
        merge(shards)
    return 0


def freeze_inputs(asked: dict[str, Any]) -> list[str]:
    """All inputs, as the first task that asked found them: a folder may change while shards wait."""
    if not ALL_INPUTS.exists():
        found = list(dict.fromkeys(find_inputs(asked)))
        if not found:
            fail("there are no inputs")
        temporary = ALL_INPUTS.with_name(f".inputs.{os.environ['HPC_ARRAY_TASK_ID']}")
        temporary.write_text("".join(f"{one}\n" for one in found), encoding="utf-8", errors="surrogateescape")
        with suppress(FileExistsError):  # another task was first, and its list holds
            os.link(temporary, ALL_INPUTS)
        temporary.unlink()
    return ALL_INPUTS.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]


def find_inputs(asked: dict[str, Any]) -> Iterator[str]:
    """The lines of the form, FIRST..LAST as all its numbers, then the files of the folder by name."""
    for line in asked["inputs"]:
        first, dots, last = line.partition("..")
        if dots and first.isdecimal() and last.isdecimal():
            if int(last) - int(first) >= MOST_INPUTS:
                fail(f"{line} are more than {MOST_INPUTS} inputs")
            yield from map(str, range(int(first), int(last) + 1))
        else:
            yield line
    if asked["input_folder"] is not None:
        folder = Path(asked["input_folder"])
        try:
            found = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
        except OSError as error:
            fail(f"cannot read the folder {folder}: {error.strerror}")
        wanted = [name for name in found if fnmatchcase(name, asked["pattern"]) and "\n" not in name]
        yield from (str(folder.absolute() / name) for name in wanted)


def cut(inputs: list[str], shard: int, shards: int) -> list[str]:
    """The shard's part: parts differ by one input at most, and keep the order."""
    return inputs[len(inputs) * shard // shards : len(inputs) * (shard + 1) // shards]


class Work:
    """The inputs of a shard, and the answers to them so far."""

    def __init__(self, asked: dict[str, Any], shard: int, inputs: list[str]) -> None:
        self.asked = asked
        self.inputs = inputs
        self.folder = Path("shards") / str(shard)
        self.kept = self.folder / "answers.jsonl"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.answers = dict(read_answers(self.kept, set(inputs)))
        replace(self.kept, lines(self.answers.values()))

    def finish(self, stop: Stop) -> bool:
        """Start the program until every input has an answer; False when it was stopped before."""
        at_once, bad_in_a_row = len(self.inputs), 0
        while waiting := [one for one in self.inputs if one not in self.answers]:
            if stop.number:
                return False
            chosen, before = waiting[:at_once], len(self.answers)
            code = self.start(chosen, stop)
            self.answers |= read_answers(self.kept, set(chosen))
            replace(self.kept, lines(self.answers.values()))  # without what a program cut short
            has_answered = len(self.answers) > before
            left = sum(one not in self.answers for one in chosen)
            if stop.number and left:
                return False
            if has_answered:
                bad_in_a_row = 0
            if not left:
                at_once *= 2
            elif len(chosen) > 1:
                at_once = max(1, left // 2)
            else:
                bad_in_a_row += 1
                self.answer(chosen[0], f"the program ended with {how(code)} and no answer")
                if bad_in_a_row == MOST_BAD_IN_A_ROW == len(self.answers):
                    self.kept.unlink()
                    fail(f"the program answers nothing; last it ended with {how(code)}")
        return True

    def answer(self, one: str, error: str) -> None:
        """Name a bad input."""
        sys.stderr.write(f"run_shard: {one}: {error}\n")
        self.answers[one] = {"input": one, "error": error}
        replace(self.kept, lines(self.answers.values()))

    def start(self, chosen: list[str], stop: Stop) -> int:
        """Run the program on some inputs to its end; it does not outlive this process."""
        file = self.folder / "inputs.txt"
        replace(file, "".join(f"{one}\n" for one in chosen))
        try:
            stop.process = start_program(
                self.asked["program"],
                self.asked["arguments"],
                self.folder,
                {"HPC_INPUTS": str(file.absolute()), "HPC_OUTPUTS": str(self.kept.absolute())},
            )
        except OSError as error:
            fail(f"cannot start {self.asked['program']}: {error.strerror}")
        if stop.number:
            stop.process.send_signal(stop.number)
        code = self.wait(stop.process)
        stop.process = None
        return code

    def wait(self, process: "subprocess.Popen[bytes]") -> int:
        """Its exit code; one that is silent for too long is ended."""
        heard, size = time.monotonic(), -1
        while True:
            try:
                return process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            if (new := self.kept.stat().st_size) != size:
                heard, size = now, new
            elif self.asked["silence_seconds"] and now - heard > self.asked["silence_seconds"]:
                process.kill()


def read_answers(path: Path, wanted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The first answer to each input; other lines and half-written ones are none."""
    if not path.exists():
        return
    seen: set[str] = set()
    for line in path.read_bytes().splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        one = found.get("input") if isinstance(found, dict) else None
        if isinstance(one, str) and one in wanted and one not in seen:
            seen.add(one)
            yield one, found


def how(code: int) -> str:
    """The end of a process in words."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def lines(answers: Iterable[dict[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(f"{json.dumps(one)}\n" for one in answers)


def summary(answers: Iterable[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Counts, the names of bad inputs, and the sum of each number that good answers have."""
    sums: dict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    bad: deque[dict[str, str]] = deque(maxlen=MOST_NAMED)
    total = errors = 0
    for one in answers:
        total += 1
        if "error" in one:
            errors += 1
            bad.append({"input": one["input"], "error": str(one["error"])[:300]})
            continue
        for name, value in one.items():
            if isinstance(value, int | float) and abs(value) < 1e300:  # noqa: PLR2004 - neither infinite nor NaN
                sums[name] += value
                counts[name] += 1
    means = {name: {"sum": sums[name], "count": counts[name]} for name in sums}
    return {"inputs": total, "bad": errors, "seconds": seconds, "named": list(bad), "numbers": means}


def merge(shards: int) -> None:
    """All answers in the order of the inputs, and the sums; tasks that meet here write the same."""
    parts = [json.loads((Path("results") / f"{one}.json").read_text("utf-8")) for one in range(shards)]
    numbers: dict[str, dict[str, float]] = {}
    for part in parts:
        for name, told in part["numbers"].items():
            known = numbers.setdefault(name, {"sum": 0, "count": 0})
            known["sum"] += told["sum"]
            known["count"] += told["count"]
    temporary = Path(f".merged.{os.environ['HPC_ARRAY_TASK_ID']}")
    with temporary.open("wb") as file:
        for one in range(shards):
            file.write((Path("outputs") / f"{one}.jsonl").read_bytes())
    temporary.replace("merged.jsonl")
    told = {name: sum(part[name] for part in parts) for name in ("inputs", "bad", "seconds")}
    named = [one for part in parts for one in part["named"]][:MOST_NAMED]
    replace(Path("summary.json"), json.dumps({**told, "named": named, "numbers": numbers}) + "\n")


def replace(path: Path, text: str) -> None:
    """Write beside the file, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.environ['HPC_ARRAY_TASK_ID']}")
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
