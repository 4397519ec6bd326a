"""One trial of a hyper-parameter sweep: `python training/run_trial.py SWEEP.json`, as each task of an array.

Trains the digits network in trials/TASK with values of its own: those that the sweep's file has for this
task, or values that Optuna draws from all trials so far. A trial that is worse than others at the same epoch
is stopped early. Stopped by a signal it saves, exits with 75, and goes on when it is run again.

Exit codes are those of train_digits.py; a trial that was stopped early ends with 0.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import train_digits  # type: ignore[import-not-found] # It lies beside this file in a job's workspace.

VALUES = Path("values.json")


def main() -> None:
    """Draw or read the values, train with them, tell the others."""
    sweep = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    task = int(os.environ["HPC_ARRAY_TASK_ID"])
    journal = Path("sweep.journal").absolute()
    folder = Path("trials") / str(task)
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    events = recorded_events()
    if any(event["event"] in ("done", "pruned") for event in events):
        return
    values = (
        json.loads(VALUES.read_text(encoding="utf-8")) if VALUES.exists() else sweep["values"].get(str(task))
    )
    shared = None
    if sweep["search"] == "tpe" or sweep["pruning"] != "none":
        shared = share_trial(journal, sweep, task, values)
        values = shared.values
        for event in events:
            if event["event"] == "epoch":
                shared.report(event["epoch"], event["val_acc"])
    train_digits.replace(VALUES, lambda path: path.write_text(json.dumps(values), encoding="utf-8"))
    train(train_digits.prepare(train_digits.Parameters(**sweep["fixed"], **values)), shared)


def train(run: Any, shared: Any) -> None:  # noqa: ANN401 - of modules that lie beside this one only in a job
    """Train until the last epoch, or until the others are found to be better."""
    for epoch, accuracy in train_digits.train_epochs(run):
        if shared is None:
            continue
        shared.report(epoch, accuracy)
        if epoch < run.parameters.epochs and shared.is_hopeless():
            shared.end()
            train_digits.record(event="pruned", epoch=epoch)
            return
    if shared is not None:
        shared.end()
    train_digits.finish(run)


def share_trial(journal: Path, sweep: dict[str, Any], task: int, values: dict[str, Any] | None) -> Any:  # noqa: ANN401
    """The trial as the other tasks see it; needs Optuna, which not every sweep does."""
    try:
        from shared_trial import SharedTrial  # type: ignore[import-not-found] # noqa: PLC0415
    except ImportError as error:
        train_digits.fail(
            train_digits.EXIT_UNAVAILABLE,
            f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
            f"pip install {error.name}",
        )
    return SharedTrial(journal, sweep, task, values)


def recorded_events() -> list[dict[str, Any]]:
    """What an earlier run of this task wrote, up to where its checkpoint stands; the rest comes again."""
    if not train_digits.CHECKPOINT.exists():
        return []
    saved = train_digits.torch.load(train_digits.CHECKPOINT, map_location="cpu", weights_only=True)
    lines = train_digits.METRICS.read_text(encoding="utf-8").splitlines()
    kept = (line for line in lines if train_digits.belongs_before(line, saved["progress"]["epoch"]))
    return [json.loads(line) for line in kept]


if __name__ == "__main__":
    main()
