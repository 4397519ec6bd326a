"""Logs of any size and any content are read within bounds."""

import os
from pathlib import Path

import pytest

from workloads.site.document import ResultRules
from workloads.site.json_path import JsonPath
from workloads.site.patterns import InvalidPattern, Pattern
from workloads.site.scan import Scanner, bytes_of_a_file

NAMES = {"task": "0", "row": "", "column": ""}
LIMIT = 64 * 1024


def scanner(**rules: object) -> Scanner:
    return Scanner(ResultRules.model_validate({"log": "run.log", **rules}))


def test_the_end_of_a_huge_log_is_seen_and_its_middle_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "run.log").open("wb") as log:
        log.write(b"ERROR first\n")
        log.truncate(
            8 * 1024**3
        )  # a hole: reading it whole would take minutes and the memory of this machine
        log.seek(0, os.SEEK_END)
        log.write(b"\narea 12.5\nPASSED\n")
    rules = scanner(**{"pass": ["^PASSED$"]}, fail=["^ERROR"], metrics={"area": {"pattern": r"^area (\S+)"}})
    seen = rules.scan(tmp_path, NAMES, max_bytes=LIMIT)
    assert [metric.value for metric in seen.metrics] == [12.5]
    assert seen.is_passed
    assert seen.failure
    assert (seen.failure.line, seen.failure.line_number) == ("ERROR first", 1)


def test_a_pattern_that_would_take_for_ever_elsewhere_is_quick_here(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("a" * 4000 + "!\n")
    seen = scanner(fail=["^(a+)+$"]).scan(tmp_path, NAMES, max_bytes=LIMIT)
    assert seen.failure is None


@pytest.mark.parametrize("text", ["(?=a)", r"(a)\1", "(", "a{1000}{1000}"])
def test_what_needs_more_than_linear_time_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidPattern):
        Pattern(text)


@pytest.mark.parametrize(
    ("take", "value"),
    [("first", 3), ("last", 1), ("minimum", 1), ("maximum", 7), ("sum", 11), ("count", 3)],
)
def test_one_of_several_numbers_is_taken(tmp_path: Path, take: str, value: float) -> None:
    (tmp_path / "run.log").write_text("slack 3\nslack 7\nslack 1\n")
    rules = scanner(metrics={"slack": {"pattern": r"slack (\d+)", "take": take}})
    assert [metric.value for metric in rules.scan(tmp_path, NAMES, max_bytes=LIMIT).metrics] == [value]


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "--", "", "1,2,x"])
def test_what_is_no_finite_number_is_no_metric(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.log").write_text(f"area {text}\n")
    rules = scanner(metrics={"area": {"pattern": r"area (\S*)"}})
    assert rules.scan(tmp_path, NAMES, max_bytes=LIMIT).metrics == ()


def test_a_number_is_found_in_json_and_thousands_have_commas(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"fmax": {"clk": [{"achieved": 89.97}]}, "cells": "12,328"}')
    rules = scanner(
        metrics={
            "fmax": {"file": "r.json", "json": "fmax.clk[0].achieved"},
            "cells": {"file": "r.json", "json": '["cells"]'},
            "none": {"file": "r.json", "json": "fmax.slow"},
        }
    )
    found = {metric.name: metric.value for metric in rules.scan(tmp_path, NAMES, max_bytes=LIMIT).metrics}
    assert found == {"fmax": 89.97, "cells": 12328}


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff\xfe", b""])
def test_json_that_is_none_is_nothing_yet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)
    rules = scanner(metrics={"fmax": {"file": "r.json", "json": "fmax"}})
    assert rules.scan(tmp_path, NAMES, max_bytes=LIMIT).metrics == ()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), Path.mkdir])
def test_what_is_no_file_of_the_workspace_is_not_read(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "run.log")
    seen = scanner(fail=["root"]).scan(tmp_path, NAMES, max_bytes=LIMIT)
    assert seen.failure is None


def test_the_bytes_of_a_job_are_bounded_whatever_its_tasks() -> None:
    assert bytes_of_a_file(1) == 8 * 1024**2
    assert bytes_of_a_file(100) * 100 <= 64 * 1024**2
    assert bytes_of_a_file(2000) * 2000 <= 128 * 1024**2


@pytest.mark.parametrize("text", ["", "a..b", "a[x]", "[-1]", "a b", "*"])
def test_a_json_path_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|nothing"):
        JsonPath(text)
