"""Verdicts, which an exit code alone does not give (ADR 0030), and signatures that group failures."""

import re

from workloads.template import Verdict


def judge(*, exit_code: int, fail_line: str | None, pass_seen: bool) -> Verdict:
    """PASS only if the exit code is 0, no fail pattern was seen, and every pass pattern was.

    This is dvsim's rule; many EDA tools end with 0 whatever happened.
    """
    if fail_line is not None or exit_code != 0:
        return Verdict.FAIL
    return Verdict.PASS if pass_seen else Verdict.NO_VERDICT


_NUMBER = r"(?=[a-f]*\d)[0-9a-f]++(\.\d+)?(e[+-]?\d+)?"
_SIGN = r"((?<=[\s=:(])-)?"
_VOLATILE = re.compile(
    rf"""
      \b[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\b    # a UUID
    | \b0x[0-9a-f_]+\b                                  # 0x3f
    | \b\d*'s?[hdbo][0-9a-fxz_?]+                       # 8'hff
    | {_SIGN}\b{_NUMBER}\s?([fpnum]?s|[kmg]hz)\b        # 12.5 ns
    | {_SIGN}\b{_NUMBER}\b                              # 42, -1.5e-9, a5
    | (?<=\bgot\s)[0-9a-fxz]+\b                         # ff and xx, where a value must stand
    | (?<=\bexpected\s)[0-9a-fxz]+\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST = 300


def signature(line: str) -> str:
    """The line with everything masked that differs between two failures of one cause.

    Times, seeds, numbers in any base and UUIDs become `*`; two lines of one cause give one text.
    """
    return re.sub(r"\s+", " ", _VOLATILE.sub("*", line[: 4 * _LONGEST])).strip()[:_LONGEST]
