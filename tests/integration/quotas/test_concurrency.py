"""Real processes on one project: never over-committed, nothing charged twice, no error left to a user."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from tests.integration.quotas.books import START, Books
from tests.integration.quotas.hammer import SHARED_JOBS, TASKS
from tests.integration.quotas.steward import Steward
from tests.integration.quotas.steward_hammer import LATER, MORE, RING, ROUNDS, SECONDS

ROOT = Path(__file__).parents[3]
PROCESSES = 4
SHARED_VND = SHARED_JOBS * TASKS * 9
OWN_JOBS = 100


def test_four_processes_steward_one_budget_and_every_deed_counts_once(
    books: Books, database_url: str
) -> None:
    ended = books.grant(VND=200, valid_to=START + timedelta(days=1))
    lasting = books.grant(VND=5000)
    jobs = [books.hold(cpu=100).job_id for _ in range(2 + 2 * ROUNDS)]  # the first two on what ends soon
    student = Steward(books).sibling().project_id
    other = Steward(books).sibling()
    ring = sorted(other.grant(VND=100, valid_to=LATER) for _ in range(RING))
    for place, allocation in enumerate(ring):
        Steward(other).extend(allocation, LATER + timedelta(days=1, hours=RING - 1 - place))
    ids = [str(one) for one in (books.project_id, student, ended, lasting, *ring, *jobs)]
    hammers = [
        subprocess.Popen(
            [*(sys.executable, "-m", "tests.integration.quotas.steward_hammer"), database_url, str(n), *ids],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    outcomes = [hammer.communicate(timeout=200) for hammer in hammers]
    assert [hammer.returncode for hammer in hammers] == [0] * PROCESSES, outcomes
    done = [json.loads(answer) for answer, _ in outcomes]
    assert sum(one["increases"] for one in done) == ROUNDS
    # Four processes ask for 50 and 30 percent each: all of the charge comes back, and not a đồng more.
    assert sum(one["refunds_vnd"] for one in done) == len(jobs) * SECONDS
    steward = Steward(books)
    steward.expire(LATER)
    of_ended, of_lasting = steward.of(ended), steward.of(lasting)
    assert (of_ended[:3], of_lasting[1:]) == ((0, 0, 0), (0, 0, 0))
    assert of_ended[3] + of_lasting[0] == 200 + 5000 + MORE * ROUNDS
    assert sum(sum(steward.of(allocation)) for allocation in ring) == 100 * RING
    assert books.discrepancies == []


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
