"""Train a small network on scikit-learn's digits: `python train_digits.py PARAMETERS.json --NAME=VALUE ...`.

Writes metrics.jsonl (one object an epoch), checkpoint.pt, and at the end model.pt and result.json into the
current folder. At SIGTERM or SIGUSR1 it saves and exits with 75, "run me again"; run again it goes on at the
very batch where it stopped, so that on CPUs the curve is bit for bit the one of a run that was never stopped.
Under torchrun the processes share each batch out and stop together; the first one writes the files.

Exit codes: 0 trained, 1 the loss was no longer finite, 64 wrong parameters or a checkpoint of other ones,
69 PyTorch, scikit-learn or a GPU is missing, 75 saved and not finished.
"""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

EXIT_DIVERGED = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_RUN_AGAIN = 75

METRICS = Path("metrics.jsonl")
CHECKPOINT = Path("checkpoint.pt")
MODEL = Path("model.pt")
RESULT = Path("result.json")


@dataclass(frozen=True)
class Parameters:
    """What parameters.json and the options say; options win."""

    epochs: int
    learning_rate: float
    batch_size: int = 64
    hidden_units: int = 64
    seed: int = 1
    cpus: int = int(os.environ.get("OMP_NUM_THREADS", "1"))
    gpus: int = int(os.environ.get("HPC_GPUS_ON_NODE", "0"))
    """Of each node."""
    processes: int = 1
    """Over all nodes: sums depend on how a batch is shared out."""
    checkpoint_epochs: int = 10


@dataclass(frozen=True)
class Place:
    """Which of the processes this is, as torchrun says."""

    rank: int
    processes: int
    local_rank: int


@dataclass
class Progress:
    """Where training stands: everything but the weights that a resumed run needs."""

    epoch: int = 1
    batch: int = 0
    loss_sum: float = 0.0
    """Of the batches of this epoch so far, each weighted by its samples."""


def fail(code: int, message: str) -> NoReturn:
    """End with a message for the job's log."""
    print(f"train_digits: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    sys.exit(code)


class Stop:
    """Remembers that a signal asked us to save; looked at between two batches."""

    def __init__(self) -> None:
        self.name = ""
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.name = signal.Signals(number).name


def place() -> Place:
    """What torchrun says; alone without it."""
    said = (
        os.environ.get(name, alone) for name, alone in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    return Place(*map(int, said))


PLACE = place()

# Before the imports: they take seconds, and a signal must not end the run while they last.
STOP = Stop()

try:
    import torch

    # It lies beside this file in a job's workspace, and has another name here.
    from digits import (  # type: ignore[import-not-found]
        build_model,
        load_data,
        measure_accuracy,
        shuffled,
    )
except ImportError as error:
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        "pip install torch scikit-learn",
    )


@dataclass
class Run:
    """One training: what it works on and where it stands."""

    parameters: Parameters
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    data: tuple[torch.Tensor, ...]
    """Training inputs and targets, validation inputs and targets."""
    progress: Progress


def main() -> None:
    """Train, or go on training, until done, told to stop, or diverged."""
    run = prepare(read_parameters())
    for _ in train_epochs(run):
        pass
    finish(run)


def train_epochs(run: Run) -> Iterator[tuple[int, float]]:
    """Train the epochs that are left; each with its validation accuracy, once it is trained and kept."""
    while run.progress.epoch <= run.parameters.epochs:
        accuracy = train_epoch(run)
        done = run.progress.epoch
        run.progress = Progress(epoch=done + 1)
        if done % run.parameters.checkpoint_epochs == 0 or done == run.parameters.epochs:
            save_checkpoint(run)
        yield done, accuracy


def prepare(parameters: Parameters) -> Run:
    """Everything in place to train the first batch, or the one after the checkpoint."""
    device = choose_device(parameters)
    prepare_torch(parameters)
    join_processes(parameters)
    model = build_model(parameters.hidden_units).to(device)
    run = Run(
        parameters=parameters,
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), lr=parameters.learning_rate),
        data=load_data(parameters.seed, device),
        progress=Progress(),
    )
    if CHECKPOINT.exists():
        resume(run, device)
    else:
        if PLACE.rank == 0:
            METRICS.write_text("", encoding="utf-8")
        record(
            event="start",
            device=device.type,
            gpus=parameters.gpus,
            processes=parameters.processes,
            torch=torch.__version__,
            epochs=parameters.epochs,
        )
    return run


def train_epoch(run: Run) -> float:
    """Train the batches of this epoch that are left, then measure and record it; the validation accuracy."""
    inputs, targets, validation_inputs, validation_targets = run.data
    progress, size = run.progress, run.parameters.batch_size
    order = shuffled(len(inputs), run.parameters.seed, progress.epoch).to(inputs.device)
    began = time.perf_counter()
    starts = range(progress.batch * size, len(inputs), size)
    for start in starts:
        chosen = order[start : start + size]
        loss_sum, is_stopped = train_batch(run, inputs[chosen], targets[chosen])
        progress.loss_sum += loss_sum
        progress.batch += 1
        if is_stopped:
            stop(run)
    loss = progress.loss_sum / len(inputs)
    if not math.isfinite(loss):
        record(event="diverged", epoch=progress.epoch)
        fail(EXIT_DIVERGED, f"the loss is not finite in epoch {progress.epoch}; try a lower learning rate")
    accuracy: float = measure_accuracy(run.model, validation_inputs, validation_targets)
    record(
        event="epoch",
        epoch=progress.epoch,
        train_loss=loss,
        val_acc=accuracy,
        lr=run.parameters.learning_rate,
        samples_per_s=round(max(0, len(inputs) - starts.start) / (time.perf_counter() - began), 1),
    )
    return accuracy


def read_parameters() -> Parameters:
    """The file that the command line names, and its options."""
    given: dict[str, Any] = {}
    try:
        for word in sys.argv[1:]:
            name, _, value = word.removeprefix("--").partition("=")
            is_option = word.startswith("--")
            given |= {name: json.loads(value)} if is_option else json.loads(Path(word).read_text("utf-8"))
        return Parameters(**given)
    except (OSError, ValueError, TypeError) as error:
        fail(EXIT_USAGE, f"cannot read the parameters: {error}")


def choose_device(parameters: Parameters) -> torch.device:
    """A GPU exactly when one was asked for: never quietly a CPU instead."""
    if parameters.gpus == 0:
        return torch.device("cpu")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < parameters.gpus:
        fail(
            EXIT_UNAVAILABLE,
            f"{parameters.gpus} GPU(s) were asked for and PyTorch {torch.__version__} sees {found}; "
            "ask for fewer, or install a PyTorch build for this node's driver",
        )
    return torch.device("cuda", PLACE.local_rank)


def prepare_torch(parameters: Parameters) -> None:
    """The same arithmetic in the same order in every run; sums depend on the number of threads."""
    on_this_node = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(max(1, parameters.cpus // on_this_node))
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(parameters.seed)


def join_processes(parameters: Parameters) -> None:
    """Meet the others where torchrun said: MASTER_ADDR and MASTER_PORT."""
    if PLACE.processes != parameters.processes:
        fail(
            EXIT_USAGE,
            f"{PLACE.processes} process(es) were started, the parameters say {parameters.processes}",
        )
    if PLACE.processes > 1:
        torch.distributed.init_process_group("nccl" if parameters.gpus else "gloo")


def train_batch(run: Run, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, bool]:
    """One step on this process's share; the whole batch's summed loss, and whether to stop now."""
    share = slice(PLACE.rank, None, PLACE.processes)
    run.optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(run.model(inputs[share]), targets[share], reduction="sum")
    torch.autograd.backward(loss / len(inputs))
    loss_sum, is_stopped = add_up(run.model, float(loss.item()))
    run.optimizer.step()
    return loss_sum, is_stopped


def add_up(model: torch.nn.Module, loss: float) -> tuple[float, bool]:
    """Sum gradients, loss and wishes to stop over the processes, in one message that never changes its shape.

    A sum's last bits depend on how it is cut into messages; PyTorch's DistributedDataParallel cuts the first
    one of a run differently, and a resumed run has a first one too.
    """
    if PLACE.processes == 1:
        return loss, bool(STOP.name)
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    own = torch.tensor([loss, float(bool(STOP.name))], device=gradients[0].device)
    message = torch.cat([*(gradient.reshape(-1) for gradient in gradients), own])
    torch.distributed.all_reduce(message)
    parts = torch.split(message[:-2], [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
    return float(message[-2].item()), bool(message[-1].item())


def stop(run: Run) -> NoReturn:
    """Save, let the others see that it is saved, and end."""
    save_checkpoint(run)
    at = run.progress
    record(event="preempted", epoch=at.epoch, batch=at.batch, signal=STOP.name or "sent to another process")
    leave_processes()
    sys.exit(EXIT_RUN_AGAIN)


def leave_processes() -> None:
    """Wait for the first process, which writes the files."""
    if PLACE.processes > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def resume(run: Run, device: torch.device) -> None:
    """Go on from the checkpoint.

    Epochs that were recorded after it (the run was killed) are taken off the curve, since they come again.
    """
    saved = torch.load(CHECKPOINT, map_location=device, weights_only=True)
    if saved["parameters"] != asdict(run.parameters):
        fail(EXIT_USAGE, f"{CHECKPOINT} was written with other parameters; remove it to start anew")
    run.model.load_state_dict(saved["model"])
    run.optimizer.load_state_dict(saved["optimizer"])
    run.progress = Progress(**saved["progress"])
    if PLACE.rank:
        return
    recorded = METRICS.read_text(encoding="utf-8").splitlines()
    kept = "".join(f"{line}\n" for line in recorded if belongs_before(line, run.progress.epoch))
    replace(METRICS, lambda path: path.write_text(kept, encoding="utf-8"))
    record(event="resumed", epoch=run.progress.epoch, batch=run.progress.batch)


def belongs_before(line: str, epoch: int) -> bool:
    """Whether a recorded line is older than the checkpoint; a half-written one is not."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return bool(found["event"] != "epoch" or found["epoch"] < epoch)


def save_checkpoint(run: Run) -> None:
    """Whole or not at all, whenever we are killed."""
    if PLACE.rank:
        return
    state = {
        "parameters": asdict(run.parameters),
        "progress": asdict(run.progress),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
    }
    replace(CHECKPOINT, lambda path: torch.save(state, path))


def finish(run: Run) -> None:
    """Write the model and the result, which says that training is complete."""
    if PLACE.rank == 0:
        write_result(run)
    leave_processes()


def write_result(run: Run) -> None:
    """The model, the last epoch's numbers, and the word that all is done."""
    events = map(json.loads, METRICS.read_text(encoding="utf-8").splitlines())
    last = [event for event in events if event["event"] == "epoch"][-1]
    replace(MODEL, lambda path: torch.save(run.model.state_dict(), path))
    result = {field: last[field] for field in ("epoch", "train_loss", "val_acc")}
    replace(RESULT, lambda path: path.write_text(json.dumps(result) + "\n", encoding="utf-8"))
    record(event="done", epoch=last["epoch"])


def record(**facts: Any) -> None:  # noqa: ANN401 - JSON values
    """Append one object to the metrics, visible to readers at once, and say it in the log."""
    if PLACE.rank:
        return
    line = json.dumps(facts)
    with METRICS.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)  # noqa: T201 - the job's log


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the file, then rename over it."""
    temporary = path.with_name(path.name + ".new")
    write(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


if __name__ == "__main__":
    main()
