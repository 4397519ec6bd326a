"""What the server takes for every page over 100,000 jobs, for three kinds of people, without a browser.

The server's part of test_page_budgets in a fifth of its time. HPC_PORTAL_BENCH_JOBS names another number of
jobs. Processor time is the web process's and PostgreSQL's together: on a busy machine it says more than the
clock does.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.page_requests import (
    JOBS,
    MOST_SERVER_MS,
    PEOPLE,
    Cost,
    clients_of,
    cost_of,
    costs_of,
    seeded_city,
    sign_in,
    web_process,
)

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

_NEAR_MS = 40
"""From here on a page is named in the summary."""


@dataclass(frozen=True)
class Served:
    """One page."""

    address: str
    costs: Sequence[Cost | None]
    """For each of `PEOPLE`; None for whom it is not there."""

    @property
    def wall_ms(self) -> float:
        """Of whom it takes longest."""
        return max(cost.wall_ms for cost in self.costs if cost)

    @property
    def cpu_ms(self) -> float:
        """Of who costs most."""
        return max(cost.cpu_ms for cost in self.costs if cost)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""


def test_the_server_s_time_for_every_page_over_100_000_jobs(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeded = seeded_city(tmp_path, database_url)
    with web_process(seeded.city) as web, capsys.disabled():
        kind = database_url.partition("+")[0] or "sqlite"
        print(f"\n{JOBS:,} jobs written in {seeded.seconds:.0f} s, {kind}; ms of the clock (of processors)")
        print(f"{'page':60} " + " ".join(f"{user:>14}" for user in PEOPLE))
        cookies = {user: sign_in(web.url, user) for user in PEOPLE}
        pages, broken = [], []
        with clients_of(web, cookies) as clients:
            bare = [cost for user in PEOPLE if (cost := cost_of(web, clients[user], "/bare/page"))]
            for look in seeded.looks:
                costs = costs_of(web, clients, look)
                if not any(costs):
                    broken.append(look.address)
                    print(f"{look.address[:60]:60} answers none of them", flush=True)
                    continue
                pages.append(Served(look.address, costs))
                print(_line(pages[-1]), flush=True)
        print(_summary(pages, bare))
    assert not broken


def _line(page: Served) -> str:
    figures = " ".join(
        f"{cost.wall_ms:6.1f} ({cost.cpu_ms:5.1f})" if cost else f"{'-':>14}" for cost in page.costs
    )
    return f"{page.address[:60]:60} {figures}{'  <--' if page.wall_ms > MOST_SERVER_MS else ''}"


def _summary(pages: Sequence[Served], bare: Sequence[Cost]) -> str:
    """Medians over all pages beside the bare page's, how many keep the goal, and which come near it."""
    kept, by_cpu = (
        sum(cost <= MOST_SERVER_MS for cost in costs)
        for costs in ([page.wall_ms for page in pages], [page.cpu_ms for page in pages])
    )
    wall, cpu = (
        statistics.median(costs) for costs in zip(*((p.wall_ms, p.cpu_ms) for p in pages), strict=True)
    )
    bare_wall, bare_cpu = (
        statistics.median(costs) for costs in zip(*((c.wall_ms, c.cpu_ms) for c in bare), strict=True)
    )
    near = [page for page in pages if max(page.cpu_ms, page.wall_ms) > _NEAR_MS]
    lines = [
        f"{kept} of {len(pages)} pages: server <= {MOST_SERVER_MS} ms by the clock, {by_cpu} by processors",
        f"medians: {wall:.1f} ({cpu:.1f}) ms; of the bare page {bare_wall:.1f} ({bare_cpu:.1f})",
        f"above {_NEAR_MS} ms:",
        *(
            f"  {page.wall_ms:6.1f} ({page.cpu_ms:5.1f})  {page.address}"
            for page in sorted(near, key=lambda page: -page.cpu_ms)
        ),
    ]
    return "\n".join(lines)
