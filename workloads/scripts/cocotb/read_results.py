"""Say what cocotb's results.xml holds, as facts, one name=value a line: `read_results.py RESULTS_XML LOG`.

Counts of tests by outcome, the simulated time, and of the first test that did not pass the error with its
place in the log. An assertion without a message is told from others by its source line: that is printed, too.
"""
# ruff: noqa: INP001, T201 - it prints what a shell reads, and nothing imports it

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(results: Path, log: Path) -> None:
    """Print the facts; without results only how many tests passed: none."""
    try:
        cases = list(ET.parse(results).iter("testcase"))  # noqa: S314 - on the node, in the job that wrote it
    except (OSError, ET.ParseError):
        cases = []
    failed = [(case, found) for case in cases if (found := problem(case)) is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    note("cocotb_passed", len(cases) - len(failed) - len(skipped))
    note("cocotb_failed", len(failed))
    note("cocotb_skipped", len(skipped))
    note("simulated_ns", sum(map(simulated_ns, cases)))
    if failed:
        tell_failure(
            failed[0][0], failed[0][1], log.read_text(encoding="utf-8", errors="replace").split("\n")
        )


def problem(case: ET.Element) -> ET.Element | None:
    """What is wrong with a test; None when nothing is."""
    found = case.find("failure")
    return case.find("error") if found is None else found


def simulated_ns(case: ET.Element) -> float:
    """How long the test ran in simulated time, as cocotb 2 writes it."""
    facts = {one.get("name"): one.get("value") for one in case.iter("property")}
    return float(facts.get("sim_time_duration") or 0) if facts.get("sim_time_unit") == "ns" else 0.0


def tell_failure(case: ET.Element, found: ET.Element, log: list[str]) -> None:
    """The test's error, where the log has it, and the line of source that raised it."""
    said = (found.get("message") or "").split("\n")[0]
    line = f"{found.get('type') or 'Error'}: {said}"
    note("fail_test", case.get("name"))
    note("fail_line", line)
    note("fail_line_number", next((number for number, text in enumerate(log, 1) if line in text), 0))
    sources = re.findall(r'^  File "[^"\n]*", line \d+, in .*\n    (.*)$', found.text or "", re.MULTILINE)
    if sources and said.startswith("assert "):
        note("fail_source", sources[-1])


def note(name: str, value: object) -> None:
    """One fact on one line."""
    print(f"{name}={str(value)[:2000]}".replace("\r", " ").replace("\n", " "))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
