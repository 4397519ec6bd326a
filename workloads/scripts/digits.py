"""The digits that scikit-learn ships and a network that reads them: for training and inference."""

import torch
from sklearn.datasets import load_digits

VALIDATION_SHARE = 0.2


def load_data(seed: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    """1,797 images of 8 x 8 grey levels, split into training and validation by the seed."""
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32, device=device) / 16
    targets = torch.tensor(digits.target, dtype=torch.long, device=device)
    order = shuffled(len(inputs), seed, 0).to(device)
    held_back = int(len(inputs) * VALIDATION_SHARE)
    return (
        inputs[order[held_back:]],
        targets[order[held_back:]],
        inputs[order[:held_back]],
        targets[order[:held_back]],
    )


def shuffled(length: int, seed: int, epoch: int) -> torch.Tensor:
    """An order that depends on nothing but its arguments, so that no generator state needs saving."""
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def build_model(width: int) -> torch.nn.Module:
    """Two hidden layers; the work of an epoch grows with the square of their width."""
    return torch.nn.Sequential(
        torch.nn.Linear(64, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 10),
    )


def measure_accuracy(model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """The share of images that are named right; all processes have equal weights."""
    with torch.no_grad():
        return float((model(inputs).argmax(1) == targets).float().mean().item())
