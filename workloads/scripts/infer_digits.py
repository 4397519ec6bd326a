"""Name the images of one shard with a trained network: `python inference/infer_digits.py PARAMETERS.json`.

Run as each task of an array. Reads images as rows of 64 grey levels, 0 to 16, from a NumPy file, or
scikit-learn's digits when none is given; writes predictions/SHARD.csv, whole or not at all, and
results/SHARD.json. A shard whose predictions are there already is not computed again.

Exit codes: 0 done, 64 wrong parameters, 65 the model or the images cannot be used, 69 PyTorch, scikit-learn
or a GPU is missing.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_UNAVAILABLE = 69
FEATURES = 64
LARGEST_LEVEL = 16


def fail(code: int, message: str) -> NoReturn:
    """End with a message for the job's log."""
    sys.stderr.write(f"infer_digits: {message}\n")
    sys.exit(code)


try:
    import numpy as np
    import torch
    from digits import build_model  # type: ignore[import-not-found] # It lies beside this file in a job.
    from sklearn.datasets import load_digits
except ImportError as error:
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        "pip install torch scikit-learn",
    )


def main() -> None:
    """Compute the shard of this task, unless an earlier run did."""
    try:
        given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        shard = int(os.environ["HPC_ARRAY_TASK_ID"])
        shards, batch_size = given["shards"], given["batch_size"]
    except (IndexError, OSError, ValueError, KeyError) as error:
        fail(EXIT_USAGE, f"cannot read the parameters: {error!r}")
    target = Path("predictions") / f"{shard}.csv"
    if target.exists():
        return
    device = choose_device(given["gpus"])
    torch.set_num_threads(given["cpus"])
    model = load_model(given["model_path"] or train_example(shard), device)
    images, labels = load_images(given["input_path"])
    chosen = np.array_split(np.arange(len(images)), shards)[shard]
    began = time.perf_counter()
    named = [
        name_images(model, images[chosen[start : start + batch_size]], device)
        for start in range(0, len(chosen), batch_size)
    ]
    seconds = time.perf_counter() - began
    names = np.concatenate([one for one, _ in named]) if named else np.zeros(0, dtype=np.int64)
    sure = np.concatenate([one for _, one in named]) if named else np.zeros(0)
    rows = (f"{index},{name},{share:.6f}\n" for index, name, share in zip(chosen, names, sure, strict=True))
    result: dict[str, Any] = {"images": len(chosen), "seconds": seconds}
    if labels is not None:
        result["correct"] = int((names == labels[chosen]).sum())
    replace(Path("results") / f"{shard}.json", json.dumps(result) + "\n")
    replace(target, "index,digit,probability\n" + "".join(rows))


def choose_device(gpus: int) -> torch.device:
    """A GPU exactly when one was asked for."""
    if gpus == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        fail(EXIT_UNAVAILABLE, f"a GPU was asked for and PyTorch {torch.__version__} sees none")
    return torch.device("cuda")


def train_example(shard: int) -> str:
    """Where no model was given: a small one, trained here; the same for every shard."""
    programs = Path(sys.argv[0]).parent.absolute()
    folder = Path("example") / str(shard)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(programs / "train_digits.py"), str(programs / "example.json")]
    ended = subprocess.run(command, cwd=folder, check=False)  # noqa: S603 - our own words, no shell
    if ended.returncode != 0:
        sys.exit(ended.returncode)
    return str(folder / "model.pt")


def load_model(path: str, device: torch.device) -> torch.nn.Module:
    """What train_digits.py wrote as model.pt; its width is read from its first layer."""
    try:
        weights = torch.load(path, map_location=device, weights_only=True)
        model: torch.nn.Module = build_model(len(weights["0.bias"]))
        model.load_state_dict(weights)
    except Exception as error:  # noqa: BLE001 - whatever a wrong file makes PyTorch raise
        fail(EXIT_DATA, f"cannot use the model {path}: {error}")
    return model.to(device).eval()


def load_images(path: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """(images, 64) grey levels, and what they really show where that is known."""
    if path is None:
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


def name_images(
    model: torch.nn.Module, images: np.ndarray, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest digit of each image, and how likely it is."""
    inputs = torch.tensor(np.asarray(images), dtype=torch.float32, device=device) / LARGEST_LEVEL
    with torch.no_grad():
        shares, names = torch.softmax(model(inputs), dim=1).max(dim=1)
    return names.cpu().numpy(), shares.cpu().numpy()


def replace(path: Path, text: str) -> None:
    """Write beside the file, then rename over it."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    main()
