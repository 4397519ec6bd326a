r"""Merged coverage as Verilator writes it: points by kind, how many there are and how many were hit.

The format is that of verilated_cov.cpp of Verilator 5.006: a line `C 'KEY' COUNT`, where KEY is
\x01NAME\x02VALUE for each of its fields; `page` starts with `v_` and the kind: line, branch, toggle or user.
"""

import re
from pathlib import Path

from workloads.template import Metric
from workloads.workspace import read_text

MERGED = "coverage/merged.dat"
_LARGEST_BYTES = 64 * 1024 * 1024
_POINT = re.compile(
    r"^C '[^'\n]*\x01page\x02v_(line|branch|toggle|user)[^'\n]*' ([0-9]{1,18})$", re.MULTILINE
)


def read_coverage(workspace: Path) -> tuple[Metric, ...]:
    """Per cent of the points that any passing task hit, in all and by kind; () before there is a file."""
    hit: dict[str, int] = {}
    total: dict[str, int] = {}
    for kind, count in _POINT.findall(read_text(workspace, MERGED, max_bytes=_LARGEST_BYTES) or ""):
        for name in ("total", kind):
            total[name] = total.get(name, 0) + 1
            hit[name] = hit.get(name, 0) + (count.strip("0") != "")
    if not total:
        return ()
    kinds = [Metric(f"coverage_{name}", 100 * hit[name] / total[name], "%") for name in sorted(total)]
    return (*kinds, Metric("coverage_points", hit["total"]))
