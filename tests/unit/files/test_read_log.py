"""Windows of a log by line number: exact also at block borders, in huge lines, and while the log grows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpc_portal.app.files.log_index import OpenLog, count_lines, open_log
from hpc_portal.app.files.read_log import read_lines, read_tail, texts

MEBIBYTE = 1024**2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return tmp_path / "job" / "log"


@pytest.fixture
def log(file: Path) -> Iterator[OpenLog]:
    file.touch()
    with open_log(file.parent.parent, "job", "log") as log:
        yield log


def test_a_window_says_where_to_go_on(file: Path, log: OpenLog) -> None:
    file.write_text("a\nb\nc\nd\n")

    first = read_lines(log, 1, 2, with_partial=False)
    assert (first.first_line, first.lines, first.next_line, first.is_at_end) == (1, ("b", "c"), 3, False)
    rest = read_lines(log, first.next_line, 2, with_partial=False)
    assert (rest.lines, rest.next_line, rest.is_at_end) == (("d",), 4, True)


def test_beyond_the_end_there_is_nothing_and_the_number_stays(file: Path, log: OpenLog) -> None:
    file.write_text("a\n")

    window = read_lines(log, 7, 10, with_partial=True)
    assert (window.lines, window.next_line, window.is_at_end) == ((), 7, True)


def test_a_line_without_its_newline_waits_until_the_task_has_ended(file: Path, log: OpenLog) -> None:
    file.write_text("a\nhalf")

    assert read_lines(log, 0, 10, with_partial=False).lines == ("a",)
    assert read_lines(log, 0, 10, with_partial=True).lines == ("a", "half")
    assert (count_lines(log, with_partial=False), count_lines(log, with_partial=True)) == (1, 2)


def test_the_tail_has_the_last_lines_with_their_numbers(file: Path, log: OpenLog) -> None:
    file.write_text("".join(f"line {number}\n" for number in range(1000)))

    window = read_tail(log, 2, with_partial=False)
    assert (window.first_line, window.lines) == (998, ("line 998", "line 999"))
    assert read_tail(log, 5000, with_partial=False).first_line == 0


def test_lines_are_found_across_blocks_of_a_large_file(file: Path, log: OpenLog) -> None:
    with file.open("w") as out:
        out.writelines(f"{number:099}\n" for number in range(50_000))  # 5 MB, lines straddle the blocks

    for number in (0, 10_485, 10_486, 20_971, 31_457, 49_999):
        assert int(read_lines(log, number, 1, with_partial=False).lines[0]) == number
    assert count_lines(log, with_partial=False) == 50_000


def test_a_log_that_grows_past_a_block_is_counted_on(file: Path, log: OpenLog) -> None:
    for total in range(1, 6):
        with file.open("a") as out:
            out.write("x" * (MEBIBYTE // 2) + "\n")
        assert count_lines(log, with_partial=False) == total
        assert read_lines(log, total - 1, 1, with_partial=False).next_line == total


def test_a_log_that_was_started_anew_is_counted_anew(file: Path, log: OpenLog) -> None:
    file.write_text("x\n" * MEBIBYTE * 2)
    assert count_lines(log, with_partial=False) == 2 * MEBIBYTE
    file.write_text("new\n")

    assert count_lines(log, with_partial=False) == 1
    assert read_lines(log, 0, 10, with_partial=False).lines == ("new",)


def test_a_huge_line_is_cut_and_says_so(file: Path, log: OpenLog) -> None:
    file.write_bytes(b"a" * (3 * MEBIBYTE) + b"\nnext\n")

    window = read_lines(log, 0, 10, with_partial=False)
    long, short = texts(window)
    assert window.hidden_bytes == {0: 3 * MEBIBYTE - 16_384}
    assert long == "a" * 16_384 + f"… [{3 * MEBIBYTE - 16_384} more bytes of this line: download the file]"
    assert short == "next"


def test_bytes_that_are_no_text_do_no_harm(file: Path, log: OpenLog) -> None:
    file.write_bytes(b"\xff\xfe\x00\r\nok\n")

    assert read_lines(log, 0, 10, with_partial=False).lines == ("\ufffd\ufffd\x00", "ok")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20), max_size=40)
)
def test_windows_put_together_are_the_log(file: Path, log: OpenLog, lines: list[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")

    seen: list[str] = []
    while True:
        window = read_lines(log, len(seen), 7, with_partial=False)
        seen += window.lines
        assert window.next_line == len(seen)
        if window.is_at_end:
            break
    assert seen == lines
