"""Name images of digits with a trained network, as one program of a batch inference.

`python infer_digits.py [--model=MODEL.pt] [--images=IMAGES.npy] [--batch_size=256]`. An input is the index of
an image: of a NumPy file with rows of 64 grey levels, 0 to 16, or of scikit-learn's digits. Without a model
a small one is trained first; the same every time.

Exit codes: 0 done, 64 wrong arguments, 65 the model or the images cannot be used, 69 PyTorch, scikit-learn or
a GPU is missing.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_UNAVAILABLE = 69
FEATURES = 64
LARGEST_LEVEL = 16
EXAMPLE = {"epochs": 10, "learning_rate": 0.003, "hidden_units": 64, "gpus": 0}


def fail(code: int, message: str) -> NoReturn:
    """End with a message for the job's log."""
    sys.stderr.write(f"infer_digits: {message}\n")
    sys.exit(code)


try:
    import numpy as np
    import torch

    # They lie beside this file in a job.
    import train_digits  # type: ignore[import-not-found]
    from digits import build_model  # type: ignore[import-not-found]
    from sklearn.datasets import load_digits
except ImportError as error:
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        "pip install torch scikit-learn",
    )


def main() -> None:
    """Answer every input of the file that HPC_INPUTS names, a batch at a time."""
    asked = read_arguments()
    device = choose_device(int(os.environ.get("HPC_GPUS_ON_NODE", "0")))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    images, labels = load_images(asked.images)
    model = load_model(asked.model or train_example(), device)
    inputs = Path(os.environ["HPC_INPUTS"]).read_text(encoding="utf-8").splitlines()
    with Path(os.environ["HPC_OUTPUTS"]).open("a", encoding="utf-8") as outputs:
        for start in range(0, len(inputs), asked.batch_size):
            answers = name_batch(model, images, labels, inputs[start : start + asked.batch_size], device)
            outputs.writelines(f"{json.dumps(answer)}\n" for answer in answers)
            outputs.flush()


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="infer_digits", allow_abbrev=False)
    parser.add_argument("--model", default="")
    parser.add_argument("--images", default="")
    parser.add_argument("--batch_size", type=int, default=256)
    found = parser.parse_args()
    if found.batch_size < 1:
        fail(EXIT_USAGE, "--batch_size must be at least 1")
    return found


def choose_device(gpus: int) -> torch.device:
    """A GPU exactly when the job has one."""
    if gpus == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        fail(EXIT_UNAVAILABLE, f"a GPU was asked for and PyTorch {torch.__version__} sees none")
    return torch.device("cuda")


def train_example() -> str:
    """Where no model was given: a small one, trained in this folder."""
    run = train_digits.prepare(train_digits.Parameters(**EXAMPLE))
    for _ in train_digits.train_epochs(run):
        pass
    train_digits.finish(run)
    return str(train_digits.MODEL)


def load_model(path: str, device: torch.device) -> torch.nn.Module:
    """What train_digits.py wrote as model.pt; its width is read from its first layer."""
    try:
        weights = torch.load(path, map_location=device, weights_only=True)
        model: torch.nn.Module = build_model(len(weights["0.bias"]))
        model.load_state_dict(weights)
    except Exception as error:  # noqa: BLE001 - whatever a wrong file makes PyTorch raise
        fail(EXIT_DATA, f"cannot use the model {path}: {error}")
    return model.to(device).eval()


def load_images(path: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(images, 64) grey levels, and what they really show where that is known."""
    if not path:
        digits = load_digits()
        return digits.data, digits.target
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        fail(EXIT_DATA, f"cannot read the images {path}: {error}")
    if images.ndim != 2 or images.shape[1] != FEATURES or not np.issubdtype(images.dtype, np.number):  # noqa: PLR2004
        fail(
            EXIT_DATA,
            f"{path} holds {images.dtype} of shape {images.shape}, not numbers of shape (images, 64)",
        )
    return images, None


def name_batch(
    model: torch.nn.Module,
    images: np.ndarray,
    labels: np.ndarray | None,
    inputs: list[str],
    device: torch.device,
) -> Iterator[dict[str, Any]]:
    """The likeliest digit of each image, and how likely it is; what is no index has an error."""
    known = [one for one in inputs if one.isdecimal() and int(one) < len(images)]
    rows = torch.tensor(images[list(map(int, known))], dtype=torch.float32, device=device) / LARGEST_LEVEL
    with torch.no_grad():
        shares, names = torch.softmax(model(rows), dim=1).max(dim=1)
    named = dict(zip(known, zip(names.tolist(), shares.tolist(), strict=True), strict=True))
    for one in inputs:
        if one not in named:
            yield {"input": one, "error": f"there is no image of this index; there are {len(images)}"}
            continue
        digit, share = named[one]
        answer: dict[str, Any] = {"input": one, "digit": digit, "probability": round(share, 6)}
        yield answer if labels is None else answer | {"correct": bool(labels[int(one)] == digit)}


if __name__ == "__main__":
    main()
