"""Verdicts and signatures."""

import time

import pytest

from workloads.template import Verdict
from workloads.verdict import judge, signature


@pytest.mark.parametrize(
    ("exit_code", "fail_line", "pass_seen", "verdict"),
    [
        (0, None, True, Verdict.PASS),
        (0, None, False, Verdict.NO_VERDICT),
        (0, "ERROR: x", True, Verdict.FAIL),
        (0, "ERROR: x", False, Verdict.FAIL),
        (1, None, True, Verdict.FAIL),
        (134, None, False, Verdict.FAIL),
    ],
)
def test_a_pass_needs_exit_code_no_fail_text_and_the_pass_text(
    *, exit_code: int, fail_line: str | None, pass_seen: bool, verdict: Verdict
) -> None:
    assert judge(exit_code=exit_code, fail_line=fail_line, pass_seen=pass_seen) is verdict


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[LEVEL] t=430000 got 8 expected 7", "[LEVEL] t=15000 got 3 expected 12"),
        ("mismatch: got ff expected xx", "mismatch: got 0a expected 1"),
        ("timeout after 12.5 ns", "timeout after 7us"),
        ("read 8'hff at 0x1f2e", "read 8'h0x at 0xdead"),
        ("slack -1.5e-9", "slack 2.25"),
        ("seed   17 failed", "seed 3 failed"),
        ("job 018f0000-aaaa-7000-8000-000000000001", "job 018f0000-bbbb-7000-8000-0000000000ff"),
    ],
)
def test_lines_that_differ_in_values_only_have_one_signature(one: str, other: str) -> None:
    assert signature(one) == signature(other)


def test_words_stay_so_that_two_causes_do_not_mix() -> None:
    assert signature("[LEVEL] got 1 expected 2") == "[LEVEL] got * expected *"
    assert signature("fifo_3 added a dead beef") == "fifo_3 added a dead beef"
    assert signature("[LEVEL] got 1 expected 2") != signature("[DATA] got 1 expected 2")


@pytest.mark.parametrize("text", ["1" * 100_000, "a1" * 50_000, "'h" * 50_000, "got " * 50_000])
def test_a_hostile_line_is_masked_in_bounded_time_and_length(text: str) -> None:
    began = time.process_time()
    assert len(signature(text)) <= 300
    assert time.process_time() - began < 5
