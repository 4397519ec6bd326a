"""A month of a small city, told by its people over HTTP; its statements against figures made by hand.

Three universities, the training centre, six startups. Prices change in the middle of the month, a node fails,
an allocation expires, jobs cross midnights that matter, one record arrives after the month was closed.
Every figure below was worked out on paper from the two price lists, not taken from the portal.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.tables import GlobalRole
from quotas.statement import StatementLine
from quotas.usage_report import Dimension, usage_totals
from quotas.verify import verify
from tests.e2e.month.conftest import DECEMBER, HOUR, NOVEMBER, Month, local

OLD_PRICES = {"cpu": 100, "mem": 10, "gres/gpu:h100": 30_000}
NEW_PRICES = {"cpu": 120, "mem": 10, "gres/gpu:h100": 36_000}
"""Đồng for an hour of a CPU, a GiB, a GPU; from 16 November."""

TENANTS = {
    "dut": "university",
    "due": "university",
    "vku": "university",
    "dsac": "training_centre",
    **{f"chip{number}": "startup" for number in range(1, 7)},
}
GRANTED = dict.fromkeys(TENANTS, 1000000) | {"chip4": 100_000}


def settle_in(month: Month) -> None:
    """What the city's administrator does on the first morning."""
    month.join("binh", GlobalRole.ADMINISTRATOR)
    month.ask("binh", "POST", "/prices", json={"items": items(OLD_PRICES)})
    for kind, basis_points in (("university", 5000), ("training_centre", 8000)):
        rule = {"organisation_kind": kind, "basis_points": basis_points, "reason": "2026 programme"}
        month.ask("binh", "POST", "/subsidies", json=rule)
    for name, kind in TENANTS.items():
        month.join(name)
        month.ask("binh", "POST", "/organisations", json={"slug": name, "name": name.upper(), "kind": kind})
        month.ask(
            "binh", "POST", "/projects", json={"account": name, "organisation": name, "name": f"{name} 2026"}
        )
        month.ask("binh", "PUT", f"/organisations/{name}/members/{name}", json={"role": "member"})
        month.ask("binh", "PUT", f"/projects/{name}/members/{name}", json={"role": "lead"})
        lines = {"VND": GRANTED[name]} | ({"gres/gpu:h100": 360_000} if name == "dut" else {})
        ends = local(20) if name == "chip4" else local(1, month=12) + timedelta(days=31)
        month.ask(
            "binh",
            "POST",
            f"/projects/{name}/grants",
            json={
                "lines": lines,
                "valid_from": local(1).isoformat(),
                "valid_to": ends.isoformat(),
                "reason": "2026 programme",
            },
            headers={"Idempotency-Key": f"2026-{name}"},
        )


def items(prices: dict[str, int]) -> list[dict[str, Any]]:
    return [{"tres": tres, "rate_vnd_per_hour": rate} for tres, rate in prices.items()]


def test_a_month_of_a_small_city_adds_up_to_the_dong(month: Month) -> None:  # noqa: PLR0915 - a month is long
    settle_in(month)

    # 3 November: a simulation, 10 h on 4 CPUs. List 4 x 10 x 100 + 10 x 10; the city pays half.
    month.until(local(3, 8))
    simulation = month.submit("dut", "simulation", cpus_per_task=4, walltime_seconds=24 * HOUR)
    month.until(local(3, 18))
    month.finish(simulation)
    assert month.charged("dut", simulation) == (4_000 + 100) // 2

    # 5 November: a class of 20 runs one hour each; two fail, and are paid for. A fifth of 110 each.
    month.until(local(5, 9))
    homework = month.submit("dsac", "homework", tasks=20, walltime_seconds=2 * HOUR)
    month.until(local(5, 10))
    month.finish(homework, *range(18))
    month.finish(homework, 18, 19, exit_code=1)
    assert month.charged("dsac", homework) == 20 * 22

    # 10 November: a training over midnight, 4 h on two GPUs and 8 CPUs.
    month.until(local(10, 22))
    training = month.submit(
        "due", "training", cpus_per_task=8, gpus_per_node={"h100": 2}, walltime_seconds=8 * HOUR
    )
    month.until(local(11, 2))
    month.finish(training)
    assert month.charged("due", training) == (2 * 4 * 30_000 + 8 * 4 * 100 + 4 * 10) // 2

    # 12 November: the node dies under a startup's training after 3 h: nobody pays. It runs again for 4 h.
    month.until(local(12, 9))
    unlucky = month.submit("chip1", "unlucky", gpus_per_node={"h100": 1}, walltime_seconds=8 * HOUR)
    month.until(local(12, 12))
    month.scheduler.fail_node("gpu1")
    month.step()
    assert month.charged("chip1", unlucky) == 0
    assert month.vnd("chip1").closing == 1_000_000
    month.scheduler.restore_node("gpu1")
    month.step()
    month.until(local(12, 16))
    month.finish(unlucky)
    assert month.charged("chip1", unlucky) == 4 * (30_000 + 100 + 10)

    # 14 November: new prices, for jobs that are submitted from the 16th on.
    month.until(local(14, 10))
    new = {"items": items(NEW_PRICES), "valid_from": local(16).isoformat()}
    month.ask("binh", "POST", "/prices", json=new)
    month.until(local(15, 20))
    long_one = month.submit("chip2", "long one", cpus_per_task=10, walltime_seconds=48 * HOUR)
    month.until(local(16, 20))
    month.finish(long_one)
    assert month.charged("chip2", long_one) == 10 * 24 * 100 + 24 * 10  # held at the old ones
    month.until(local(16, 21))
    short_one = month.submit("chip3", "short one", cpus_per_task=10, walltime_seconds=48 * HOUR)
    month.until(local(17, 2))
    month.finish(short_one)
    assert month.charged("chip3", short_one) == 10 * 5 * 120 + 5 * 10

    # 18 November: the last job of an allocation that ends on the 20th.
    month.until(local(18, 8))
    last_one = month.submit("chip4", "last one", cpus_per_task=2, walltime_seconds=6 * HOUR)
    month.until(local(18, 13))
    month.finish(last_one)
    assert month.charged("chip4", last_one) == 2 * 5 * 120 + 5 * 10
    month.until(local(20, 0, 1))
    with month.client("chip4") as client:
        job = {"name": "too late", "argv": ["/bin/true"], "resources": {"walltime_seconds": HOUR}}
        reply = client.post("/jobs", json={"project": "chip4", "spec": job})
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/budget-exceeded")

    # 25 November: cancelled before it started, and after two hours; and one that ran into its walltime.
    month.until(local(25, 8))
    full = month.submit("chip6", "fills the node", cpus_per_task=64, tasks=2, walltime_seconds=HOUR)
    never = month.submit("chip5", "never", walltime_seconds=HOUR)
    month.ask("chip5", "POST", f"/jobs/{never}/cancel")
    month.step()
    month.until(local(25, 9))
    assert month.charged("chip5", never) == 0
    assert month.charged("chip6", full) == 2 * (64 * 120 + 10)
    half = month.submit("chip5", "half", walltime_seconds=12 * HOUR)
    month.until(local(25, 11))
    month.ask("chip5", "POST", f"/jobs/{half}/cancel")
    month.step()
    assert month.charged("chip5", half) == 2 * 120 + 2 * 10

    # 26 November: the second startup's complaint is right, and it gets a quarter of 24 240 back.
    month.until(local(26, 9))
    give_back(month, "chip2", long_one, percent=25)

    # 30 November: five hours in the afternoon; then four around the month's last midnight, at half price.
    month.until(local(30, 15))
    evening = month.submit("chip3", "evening", cpus_per_task=10, walltime_seconds=48 * HOUR)
    month.until(local(30, 20))
    month.finish(evening)
    month.until(local(30, 22))
    over_midnight = month.submit("vku", "over midnight", cpus_per_task=4, walltime_seconds=8 * HOUR)
    month.until(local(1, 2, month=12))
    month.finish(over_midnight)
    assert month.charged("vku", over_midnight) == (4 * 4 * 120 + 4 * 10) // 2

    assert {name: figures(month.vnd(name)) for name in TENANTS} == EXPECTED
    check_reports(month)
    check_files(month)

    # 2 December: the month is closed for good. On the 3rd the cluster says that the evening's run went on
    # until 1 o'clock: four more hours of a closed month, and one of December.
    month.until(local(2, 9, month=12))
    month.ask("binh", "POST", "/accounting/months", json={"month": "2026-11"})
    closed = {name: month.statement(name) for name in TENANTS}
    month.until(local(3, 9, month=12))
    tell_late(month, evening, elapsed=timedelta(hours=10))
    assert month.charged("chip3", evening) == 10 * 10 * 120 + 10 * 10
    assert {name: month.statement(name) for name in TENANTS} == closed
    december = month.vnd("chip3", DECEMBER)
    assert (december.opening, december.charged, december.late) == (987_900, -1_210, -4 * 1_210)
    assert (december.closing, month.vnd("vku", DECEMBER).charged) == (981_850, -490)
    with month.services.engine.connect() as connection:
        assert verify(connection) == []


EXPECTED = {
    #        granted   charged  refunded  expired   closing
    "dut":   (1_000_000,  -2_050,     0,       0, 997_950),
    "due":   (1_000_000, -121_620,    0,       0, 878_380),
    "vku":   (1_000_000,    -490,     0,       0, 999_510),
    "dsac":  (1_000_000,    -440,     0,       0, 999_560),
    "chip1": (1_000_000, -120_440,    0,       0, 879_560),
    "chip2": (1_000_000, -24_240, 6_060,       0, 981_820),
    "chip3": (1_000_000, -12_100,     0,       0, 987_900),
    "chip4": (100_000,    -1_250,     0, -98_750, 0),
    "chip5": (1_000_000,    -260,     0,       0, 999_740),
    "chip6": (1_000_000, -15_380,     0,       0, 984_620),
}  # fmt: skip
"""Đồng of November, by project."""


def figures(line: StatementLine) -> tuple[int, ...]:
    assert (line.opening, line.moved, line.late) == (0, 0, 0)
    return line.granted, line.charged, line.refunded, line.expired, line.closing


def check_reports(month: Month) -> None:
    """Use by any respect adds up to the same."""
    with month.services.reading() as session:
        connection = session.connection()
        by_state = usage_totals(connection, by=[Dimension.STATE], since=NOVEMBER, until=DECEMBER)
        by_gpu = usage_totals(connection, by=[Dimension.GPU_TYPE], since=NOVEMBER, until=DECEMBER)
        by_day = usage_totals(connection, by=[Dimension.DAY], since=NOVEMBER, until=DECEMBER)
    assert sum(total.usage.vnd for total in by_state) == -sum(row[1] for row in EXPECTED.values())
    assert {total.of[Dimension.STATE]: total.usage.runs for total in by_state} == {
        "CANCELLED": 1,
        "COMPLETED": 25,
        "FAILED": 2,
        "NODE_FAIL": 1,
        "TIMEOUT": 2,
    }
    [waived] = [total.usage for total in by_state if total.of[Dimension.STATE] == "NODE_FAIL"]
    assert (waived.gpu_seconds, waived.uncharged_gpu_seconds, waived.vnd) == (3 * HOUR, 3 * HOUR, 0)
    gpus = {total.of[Dimension.GPU_TYPE]: total.usage.gpu_seconds for total in by_gpu}
    assert gpus == {"": 0, "h100": (8 + 3 + 4) * HOUR}
    days = {total.of[Dimension.DAY].day: total.usage.vnd for total in by_day}
    assert (days[10], days[11]) == (60_810, 60_810)
    assert (days[15], days[16]) == (4_040, 20_200 + 3_630)


def check_files(month: Month) -> None:
    """The statement that a designer downloads says the same."""
    with month.client("chip2") as client:
        reply = client.get("/reports/statements/2026-11", params={"project": "chip2", "format": "csv"})
    assert reply.headers["content-type"].startswith("text/csv")
    assert "981820" in reply.text


def give_back(month: Month, tenant: str, job_id: UUID, percent: int) -> None:
    """The tenant asks for half of it; the administrator finds less to be fair."""
    complaint = {"percent": 50, "reason": "the licence server was down for hours"}
    case = month.ask(tenant, "POST", f"/jobs/{job_id}/refunds", json=complaint)["id"]
    verdict = {"percent": percent, "reason": "it was down for six of 24 hours"}
    month.ask("binh", "POST", f"/refund-cases/{case}/decision", json=verdict)


def tell_late(month: Month, job_id: UUID, *, elapsed: timedelta) -> None:
    """The cluster's accounting revises how long a run took, and the controller reads it again."""
    key = job_id, 0, 0
    run = month.scheduler.accounting[key]
    usage = run.usage
    assert usage
    assert usage.started_at
    ended_at = usage.started_at + elapsed
    revised = replace(usage, ended_at=ended_at, elapsed_seconds=int(elapsed.total_seconds()))
    month.scheduler.accounting[key] = replace(run, ended_at=ended_at, usage=revised)
    step = CorrectStep(month.context)

    async def whole_pass() -> None:
        while await step():
            pass

    asyncio.run(whole_pass())
