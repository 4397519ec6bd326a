"""Curves from JSON lines and from TensorBoard's event files, whole, half written and hostile."""

import json
import random
import shutil
import struct
from pathlib import Path

import pytest

from workloads.curves import read_curves
from workloads.event_files import Scalar, read_scalars
from workloads.script import Script

RECORDED = Path(__file__).parent / "recorded/events.out.tfevents.torch"
"""Written by torch 2.13's SummaryWriter and TensorBoard 2.21: train/loss 1, 1/2, ... 1/5 and a NaN,
val/acc 0 to 0.4 as tensors (new_style), and a text."""


def test_an_event_file_of_pytorch_is_read_as_tensorboard_would() -> None:
    found = read_scalars(RECORDED.read_bytes())
    losses = {one.step: one.value for one in found if one.tag == "train/loss"}
    assert losses == pytest.approx({step: 1 / (step + 1) for step in range(5)})
    accuracies = {one.step: one.value for one in found if one.tag == "val/acc"}
    assert accuracies == pytest.approx({step: step / 10 for step in range(5)})
    assert len(found) == 10, "neither the NaN nor the text is a point"


def test_a_file_that_is_still_being_written_gives_what_is_whole() -> None:
    content = RECORDED.read_bytes()
    counts = [len(read_scalars(content[:end])) for end in range(len(content) + 1)]
    assert counts == sorted(counts)
    assert set(counts) == set(range(11))


def test_broken_bytes_are_no_error() -> None:
    content = RECORDED.read_bytes()
    chance = random.Random(1)  # noqa: S311 - a test
    for _ in range(2000):
        broken = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        assert all(isinstance(one, Scalar) for one in read_scalars(bytes(broken)))
    assert read_scalars(struct.pack("<Q", 2**63) + b"x" * 100) == []


def test_curves_of_both_kinds_stand_side_by_side(tmp_path: Path) -> None:
    lines = [{"epoch": n, "loss": 1 / n, "note": "x", "is_best": True, "bad": float("nan")} for n in (1, 2)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '[1]\n{"loss": 3}\n{"epo')
    folder = tmp_path / "runs/Nov26_host"
    folder.mkdir(parents=True)
    shutil.copy(RECORDED, folder)
    curves = read_curves(tmp_path)
    assert [(one.name, one.x_label, len(one.points)) for one in curves] == [
        ("loss", "epoch", 2),
        ("train/loss", "step", 5),
        ("val/acc", "step", 5),
    ]
    script = Script()
    assert script.parse(tmp_path, script.validate({})).series == curves


def test_a_resumed_program_s_point_replaces_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 3}\n{"step": 2, "loss": 9}\n{"step": 2, "loss": 2}\n'
    )
    assert read_curves(tmp_path)[0].points == ((1, 3), (2, 2))


def test_a_very_long_curve_keeps_its_ends(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"step": {n}, "y": {n}}}\n' for n in range(20_001)))
    [curve] = read_curves(tmp_path)
    assert len(curve.points) <= 5002
    assert (curve.points[0], curve.points[-1]) == ((0, 0), (20_000, 20_000))


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    shutil.copy(RECORDED, tmp_path / "outside")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "runs").symlink_to(tmp_path / "outside")
    (workspace / RECORDED.name).symlink_to(RECORDED)
    assert read_curves(workspace) == ()
