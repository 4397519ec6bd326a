"""What `make audit` makes of pip-audit's reports, in the shape that pip-audit 2.10 writes."""

import tomllib
from datetime import date
from typing import Any

from scripts.judge_audit import ACCEPTED, judge

TODAY = date(2026, 11, 26)
CLEAN = {"name": "toolz", "version": "1.2.0", "vulns": []}
SKIPPED = {
    "name": "zict",
    "skip_reason": "Dependency not found on PyPI and could not be audited: zict (3.0.0)",
}
WEAK = {
    "name": "tornado",
    "version": "6.5",
    "vulns": [{"id": "PYSEC-2026-7", "aliases": ["CVE-2026-1"], "fix_versions": ["6.6"], "description": ""}],
}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


def test_a_service_that_knows_nothing_or_does_not_answer_is_no_clean_bill() -> None:
    for unreachable in (None, report(), report(SKIPPED, SKIPPED)):
        [line] = judge(unreachable, {}, TODAY).lines
        assert line.startswith("NOT AUDITED")


def test_packages_that_were_not_looked_up_are_named() -> None:
    verdict = judge(report(CLEAN, SKIPPED), {}, TODAY)
    assert verdict.lines == ("1 of 2 packages looked up", "NOT AUDITED, unknown to the service: zict")
    assert not verdict.is_bad


def test_a_vulnerability_is_a_reason_to_stop_and_says_what_mends_it() -> None:
    verdict = judge(report(CLEAN, WEAK), {}, TODAY)
    assert verdict.is_bad
    assert verdict.lines[-1] == "tornado 6.5: PYSEC-2026-7/CVE-2026-1, fixed in 6.6"


def test_what_was_accepted_counts_again_from_its_day_on() -> None:
    accepted = {"CVE-2026-1": {"reason": "its server is not started", "until": date(2026, 11, 27)}}
    assert not judge(report(WEAK), accepted, TODAY).is_bad
    assert judge(report(WEAK), accepted, date(2026, 11, 27)).is_bad


def test_everything_that_was_accepted_has_a_reason_and_a_day() -> None:
    for name, entry in tomllib.loads(ACCEPTED.read_text("utf-8")).items():
        assert set(entry) == {"reason", "until"}, name
        assert isinstance(entry["until"], date), name
