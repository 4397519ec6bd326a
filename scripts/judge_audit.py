"""`judge_audit LOCK REPORT`: what pip-audit's JSON report of a lock file means, in words and as an exit code.

0: nothing was found, or nobody could look, which is said. 1: something was found.
"""

import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ACCEPTED = Path(__file__).parent.parent / "requirements/accepted-vulnerabilities.toml"


@dataclass(frozen=True)
class Verdict:
    """What to print, and whether it is a reason to stop."""

    lines: tuple[str, ...]
    is_bad: bool


def judge(
    report: Mapping[str, Any] | None, accepted: Mapping[str, Mapping[str, Any]], today: date
) -> Verdict:
    """Judge a report, None where there is none.

    pip-audit skips packages that the vulnerability service does not know, and then passes: a mirror without
    that service thus looks like a clean bill of health.
    """
    packages = report["dependencies"] if report else []
    audited = [one for one in packages if "skip_reason" not in one]
    if not audited:
        return Verdict(
            ("NOT AUDITED: the vulnerability service (pypi.org's JSON API) is not reachable.",), is_bad=False
        )
    lines, is_bad = [f"{len(audited)} of {len(packages)} packages looked up"], False
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if skipped:
        lines.append(f"NOT AUDITED, unknown to the service: {', '.join(skipped)}")
    for package in audited:
        for found in package["vulns"]:
            names = [found["id"], *found.get("aliases", ())]
            known = next((accepted[name] for name in names if name in accepted), None)
            is_accepted = known is not None and today < known["until"]
            is_bad |= not is_accepted
            fixed = ", ".join(found["fix_versions"]) or "no release"
            said = (
                f"accepted until {known['until']}: {known['reason']}"
                if known and is_accepted
                else f"fixed in {fixed}"
            )
            lines.append(f"{package['name']} {package['version']}: {'/'.join(names)}, {said}")
    return Verdict(tuple(lines), is_bad)


if __name__ == "__main__":
    lock, path = sys.argv[1], Path(sys.argv[2])
    written = json.loads(path.read_text()) if path.exists() and path.stat().st_size else None
    verdict = judge(written, tomllib.loads(ACCEPTED.read_text("utf-8")), datetime.now(UTC).date())
    print(f"{lock}:")
    for line in verdict.lines:
        print(f"  {line}")
    sys.exit(verdict.is_bad)
