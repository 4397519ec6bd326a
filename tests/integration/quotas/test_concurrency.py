"""Real processes on one project: never over-committed, nothing charged twice, no error left to a user."""

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.quotas.books import Books
from tests.integration.quotas.hammer import SHARED_JOBS, TASKS

ROOT = Path(__file__).parents[3]
PROCESSES = 4
SHARED_VND = SHARED_JOBS * TASKS * 9
OWN_JOBS = 100


def test_four_processes_share_one_budget_to_the_last_dong(books: Books, database_url: str) -> None:
    # Enough for the 20 jobs that all four work on (each charged once), and for exactly 100 more holds of
    # 7 + 2 đồng; the CPU line allows more, the 5 đồng left over allow no other.
    books.grant(VND=SHARED_VND + 9 * OWN_JOBS + 5, cpu=10**6)
    hammers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.integration.quotas.hammer"),
                *(database_url, str(books.project_id), str(number)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    outcomes = [hammer.communicate(timeout=200) for hammer in hammers]
    assert [hammer.returncode for hammer in hammers] == [0] * PROCESSES, outcomes
    done = [json.loads(answer) for answer, _ in outcomes]
    assert sum(one["charged_vnd"] for one in done) == SHARED_VND
    assert books.state()[2] == SHARED_VND
    assert sum(one["own_jobs"] for one in done) == OWN_JOBS
    assert books.state() == (5, 9 * OWN_JOBS, SHARED_VND)
    assert books.discrepancies == []
