"""Samples of a run become few points; what a tenant does to the file does no harm."""

import json
import os
from pathlib import Path

import pytest

from hpc_portal.app.jobs.utilisation import MOST_POINTS, UsePoint, read_points

STARTED = 1_780_000_000


def sample(number: int, **more: object) -> str:
    return json.dumps({"at": STARTED + 2 * number, "cpu_percent": 150.0, "rss_mib": 100 + number, **more})


def points_of(folder: Path, content: str) -> tuple[UsePoint, ...]:
    (folder / "job").mkdir()
    (folder / "job" / "samples.jsonl").write_text(content)
    return read_points(folder, "job", "samples.jsonl")


def test_a_short_run_is_told_sample_by_sample(tmp_path: Path) -> None:
    lines = [sample(0), sample(1, gpu_percent=80, gpu_mib=2048)]
    first, second = points_of(tmp_path, "\n".join(lines) + "\n")
    assert (first.cpu_cores, first.memory_mib, first.gpu_percent) == (1.5, 100, None)
    assert (second.memory_mib, second.gpu_percent, second.gpu_memory_mib) == (101, 80.0, 2048)
    assert first.at.timestamp() == STARTED


def test_a_long_run_is_told_in_few_points_that_keep_its_mean_and_its_peak(tmp_path: Path) -> None:
    points = points_of(tmp_path, "\n".join(sample(number) for number in range(2_400)) + "\n")
    assert len(points) == MOST_POINTS
    assert {point.cpu_cores for point in points} == {1.5}
    assert points[-1].memory_mib == 100 + 2_399


def test_of_a_run_of_weeks_only_windows_are_read_from_its_begin_to_its_end(tmp_path: Path) -> None:
    points = points_of(tmp_path, "\n".join(sample(number) for number in range(60_000)) + "\n")
    assert 0 < len(points) <= MOST_POINTS
    assert [point.at for point in points] == sorted(point.at for point in points)
    assert points[0].at.timestamp() < STARTED + 1_000
    assert points[-1].at.timestamp() == STARTED + 2 * 59_999


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"at": 1}',
        '{"at": "now", "cpu_percent": 1, "rss_mib": 1}',
        '{"at": NaN, "cpu_percent": 1, "rss_mib": 1}',
        '{"at": 1e300, "cpu_percent": 1, "rss_mib": 1}',
        '{"at": 1, "cpu_percent": -5, "rss_mib": 1}',
        '{"at": 1, "cpu_percent": true, "rss_mib": 1}',
        '{"at": 1, "cpu_percent": 1, "rss_mib": 1, "gpu_percent": "all"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_sample_is_passed_over(tmp_path: Path, line: str) -> None:
    assert [point.memory_mib for point in points_of(tmp_path, f"{line}\n{sample(7)}\n")] == [107]


def test_a_link_a_pipe_and_a_missing_file_have_no_points(tmp_path: Path) -> None:
    assert points_of(tmp_path, "") == ()
    folder = tmp_path / "job"
    (tmp_path / "secret").write_text(sample(1) + "\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    for name in ("link", "pipe", "nothing", "../secret"):
        assert read_points(tmp_path, "job", name) == ()
