"""Search in a log: every line that holds the pattern, by number, in bounded steps, whatever the bytes are."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.files.log_index import OpenLog, open_log
from hpc_portal.app.files.search_log import (
    ERRORS,
    WARNINGS,
    LogPattern,
    SearchedLog,
    compile_pattern,
    search_backward,
    search_forward,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return tmp_path / "job" / "log"


@pytest.fixture
def log(file: Path) -> Iterator[OpenLog]:
    file.touch()
    with open_log(file.parent.parent, "job", "log") as log:
        yield log


def _lines(found: SearchedLog) -> list[int]:
    return [match.line for match in found.matches]


def test_matches_have_their_line_and_their_place_in_it(file: Path, log: OpenLog) -> None:
    file.write_text("một\nhai lỗi và lỗi\nba\nlỗi")

    found = search_forward(log, compile_pattern("LỖI".lower()), 0, 10)
    assert [(match.line, match.text, match.start, match.end) for match in found.matches] == [
        (1, "hai lỗi và lỗi", 4, 7),
        (3, "lỗi", 0, 3),
    ]
    assert found.is_over


def test_a_search_goes_on_where_the_last_one_stopped(file: Path, log: OpenLog) -> None:
    file.write_text("x\n" * 5)

    first = search_forward(log, compile_pattern("x"), 0, 2)
    assert (_lines(first), first.next_line, first.is_over) == ([0, 1], 2, False)
    rest = search_forward(log, compile_pattern("x"), first.next_line, 9)
    assert (_lines(rest), rest.is_over) == ([2, 3, 4], True)
    back = search_backward(log, compile_pattern("x"), 4, 3)
    assert (_lines(back), back.next_line, back.is_over) == ([3, 2, 1], 1, False)
    assert _lines(search_backward(log, compile_pattern("x"), back.next_line, 9)) == [0]


def test_lower_case_finds_all_and_upper_case_only_itself(file: Path, log: OpenLog) -> None:
    file.write_text("Fatal\nfatal\n")

    assert _lines(search_forward(log, compile_pattern("fatal"), 0, 9)) == [0, 1]
    assert _lines(search_forward(log, compile_pattern("Fatal"), 0, 9)) == [0]


def test_text_is_no_pattern_unless_asked_and_no_pattern_crosses_a_line(file: Path, log: OpenLog) -> None:
    file.write_text("a.c\nabc\nstart\nend\n")

    assert _lines(search_forward(log, compile_pattern("a.c"), 0, 9)) == [0]
    assert _lines(search_forward(log, compile_pattern("^a.c$", is_regex=True), 0, 9)) == [0, 1]
    assert _lines(search_forward(log, compile_pattern(r"start\s*end|t[^x]e", is_regex=True), 0, 9)) == []


@pytest.mark.parametrize("pattern", ["", "a\nb"])
def test_a_pattern_is_one_line_of_text(pattern: str) -> None:
    with pytest.raises(InvalidEntry):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "a{1000}{1000}"])
def test_what_is_no_regular_expression_or_needs_more_than_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidEntry, match="RE2 cannot read"):
        compile_pattern(pattern, is_regex=True)


def test_a_pattern_that_ruins_backtracking_engines_is_quick(file: Path, log: OpenLog) -> None:
    file.write_text("a" * 100_000 + "\n")

    started = time.process_time()
    assert search_forward(log, compile_pattern("(a+)+b", is_regex=True), 0, 9).is_over
    assert time.process_time() - started < 5  # a backtracking engine would not be done in our lifetime


def test_colours_and_overwritten_progress_are_not_in_the_way(file: Path, log: OpenLog) -> None:
    file.write_bytes(
        b"\x1b[31mTB_ERR\x1b[0mOR\r\n10 %\r20 % error\r\x1b[K30 %\nnext\x1b]8;;http://x/error\x07\n"
    )

    assert _lines(search_forward(log, compile_pattern("TB_ERROR"), 0, 9)) == [0]
    assert _lines(search_forward(log, compile_pattern("error"), 0, 9)) == [0]
    assert _lines(search_forward(log, compile_pattern("30 %"), 0, 9)) == [1]


def test_bytes_that_are_no_text_and_endless_lines_are_searched(file: Path, log: OpenLog) -> None:
    file.write_bytes(b"\xff\x00needle\xfe\n" + b"z" * 3_500_000 + b"\nneedle\n")

    assert _lines(search_forward(log, compile_pattern("needle"), 0, 9)) == [0, 2]
    assert _lines(search_backward(log, compile_pattern("needle"), 3, 9)) == [2, 0]
    assert _lines(search_forward(log, compile_pattern("zz"), 0, 1)) == [1]


def test_a_search_without_time_looks_at_a_block_and_says_where_to_go_on(file: Path, log: OpenLog) -> None:
    file.write_text("".join(f"{number:099}\n" for number in range(40_000)))  # 4 MB
    needle, steps, line = compile_pattern(f"{39_999:099}"), [0], 0
    while not (found := search_forward(log, needle, line, 1, seconds=0)).matches:
        assert not found.is_over
        line = found.next_line
        steps.append(line)

    assert _lines(found) == [39_999]
    assert len(steps) >= 3
    assert all(later > earlier for earlier, later in pairwise(steps))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(text=st.text(st.sampled_from("ab\n\r"), max_size=60), limit=st.integers(1, 3))
def test_both_directions_find_what_a_loop_over_lines_finds(
    file: Path, log: OpenLog, text: str, limit: int
) -> None:
    file.write_text(text, newline="")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    wanted = [number for number, line in enumerate(shown) if "a" in line]

    assert _all(log, compile_pattern("a"), limit, backward=False) == wanted
    assert _all(log, compile_pattern("a"), limit, backward=True) == wanted[::-1]


def _all(log: OpenLog, pattern: LogPattern, limit: int, *, backward: bool) -> list[int]:
    search, line, seen = (search_backward if backward else search_forward), 2**40 if backward else 0, []
    while True:
        found = search(log, pattern, line, limit)
        seen += _lines(found)
        if found.is_over:
            return seen
        line = found.next_line


@pytest.mark.parametrize(
    ("line", "is_error"),
    [
        ("UVM_ERROR @ 35: reporter [SCB] mismatch", True),
        ("** Error: (vsim-3170) Could not find 'tb'", True),
        ("Traceback (most recent call last):", True),
        ("%Error-PINNOTFOUND: a.sv:3", True),
        ("UVM_ERROR :    0", False),
        ("42 passed, 0 failed", False),
        ("Errors: 0, Warnings: 3", False),
        ("terror in the mirror", False),
    ],
)
def test_an_error_is_told_from_the_word(line: str, *, is_error: bool) -> None:
    assert ERRORS.is_in(line) is is_error


def test_no_warnings_are_no_warning() -> None:
    assert WARNINGS.is_in("Warning: clock skew")
    assert not WARNINGS.is_in("0 warnings")
