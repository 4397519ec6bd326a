"""Campaigns as one array on a real Slurm: stopped by rule, run again, and what a missing tool costs."""

import pytest

from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.campaigns.tables import StoppedBy
from hpc_portal.app.errors import InvalidSubmission
from schedulers.jobstate import JobState
from tests.integration.slurm_workloads.conftest import Live

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

TASKS, AT_ONCE = 40, 2
RESOURCES = {"cpus": 16, "memory_mib": 256, "walltime_seconds": 600}
REGRESSION = {
    "tests": ["random", "burst"],
    "seeds": TASKS // 2,
    "defines": ["BUG_LEVEL"],
    "max_parallel": AT_ONCE,
    "resources": RESOURCES,
}


@pytest.mark.parametrize(
    ("rule", "why"),
    [({"stop_failures": 2}, StoppedBy.FAILURES), ({"stop_cost_vnd": 1}, StoppedBy.COST)],
)
async def test_a_campaign_that_reached_its_rule_starts_nothing_more_and_what_waited_costs_nothing(
    live: Live, rule: dict[str, int], why: StoppedBy
) -> None:
    free = live.money().available
    job_id = await live.submit("rtl-regression", **REGRESSION, **rule)
    job = await live.until_settled(job_id)
    await live.until(lambda: live.campaign(job_id).first.is_read, "every result to be read")
    run = live.campaign(job_id).first
    assert run.stopped_by is why
    assert 0 < run.has_result < TASKS
    assert (run.passed, run.failed + run.no_verdict) == (0, run.has_result)
    assert run.no_verdict <= AT_ONCE, "Slurm may have started these since the portal last looked"
    assert run.never_ran == TASKS - run.has_result, "what was stopped before it ran did not fail"
    assert run.never_ran <= job.tasks_cancelled <= run.never_ran + AT_ONCE
    assert run.failed - AT_ONCE <= live.sacct(job_id, "state").count("FAILED") <= run.failed
    results = list((live.workspace(job_id) / "regression/results").iterdir())
    # What the rule caught at work may have written its verdict: of a cancelled task nobody reads one.
    ends = (line.split("|") for line in live.sacct(job_id, "state,nodelist"))
    caught = sum(state.startswith("CANCELLED") and nodes != "None assigned" for state, nodes in ends)
    assert caught <= AT_ONCE
    assert run.failed <= len(results) <= run.has_result + caught, "nothing else ever started"
    money = live.money()
    assert (money.held, money.available) == (0, free - job.charged_vnd)
    assert job.charged_vnd > 0


async def test_what_failed_runs_again_with_waveforms_and_fails_the_same(live: Live) -> None:
    few = {**REGRESSION, "tests": ["random", "drain"], "seeds": 3, "max_parallel": None}
    job_id = await live.submit("rtl-regression", **few)
    await live.until(lambda: live.campaign(job_id).first.is_read, "the first run")
    first = live.campaign(job_id).first
    assert 3 <= first.failed < 6, "random always fails, drain with some seeds only"
    again = await rerun_failed(live.city.services, live.member, job_id, RerunWish())
    await live.until(
        lambda: len(live.campaign(job_id).runs) == 2 and live.campaign(job_id).runs[1].is_read, "the rerun"
    )
    rerun = live.campaign(job_id).runs[1]
    assert (rerun.tasks_total, rerun.failed, rerun.passed) == (first.failed, first.failed, 0)
    waves = list((live.workspace(again.job_id) / "waves").iterdir())
    assert len(waves) == first.failed


async def test_a_tool_that_a_node_turns_out_to_lack_is_named_and_costs_next_to_nothing(live: Live) -> None:
    job_id = await live.submit("formal", solver="boolector", depth=3)
    job = await live.until_settled(job_id)
    assert job.state is JobState.FAILED
    output = "".join(file.read_text() for file in live.workspace(job_id).glob("*.out"))
    assert "tool missing: boolector" in output
    assert job.charged_vnd <= 6, "a minute of one CPU"


@pytest.mark.parametrize("programs", [{"gpu": ["yosys", "yosys-smtbmc", "z3"], "eda": ["python"]}])
async def test_a_tool_that_the_site_says_is_not_there_is_named_before_anything_is_held(live: Live) -> None:
    with pytest.raises(InvalidSubmission, match=r"eda.*yosys"):
        await live.submit("formal", resources={"partition": "eda"})
    with pytest.raises(InvalidSubmission, match="boolector"):
        await live.submit("formal", solver="boolector")
    assert live.money().held == 0
    job_id = await live.submit("formal", depth=10)
    job = await live.until_settled(job_id)
    assert job.state is JobState.COMPLETED
    (node,) = live.sacct(job_id, "nodelist")
    assert node in {"gpu01", "gpu02"}, "those of eda would be taken first"
