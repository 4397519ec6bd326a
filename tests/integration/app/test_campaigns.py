"""Campaigns: results are read once, failures grouped, runs stopped by rule, what failed runs again."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import junitparser
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.collect import CollectStep
from hpc_portal.app.campaigns.compact import compact_matrix
from hpc_portal.app.campaigns.compare import compare_with_last
from hpc_portal.app.campaigns.export import ExportFormat, export_run
from hpc_portal.app.campaigns.export_history import history_to_csv
from hpc_portal.app.campaigns.history import flaky_cells, history_by_test, history_of_name
from hpc_portal.app.campaigns.queries import CampaignFilter, CampaignView, get_campaign, list_campaigns
from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.campaigns.results import failure_groups, list_results, verdicts, verdicts_since
from hpc_portal.app.campaigns.stop_campaign import stop_campaign
from hpc_portal.app.campaigns.tables import CampaignResult, RunKind, StoppedBy
from hpc_portal.app.errors import CampaignNotFound, InvalidSubmission, NotAllowed
from hpc_portal.app.jobs.edit_script import generated_script
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story
from workloads.catalog import CATALOG
from workloads.template import Verdict

BUILD = "ab" * 32
LEVEL = "TB_ERROR [LEVEL] t=%d level mismatch: got %d expected 3"
RESOURCES = {"cpus": 16, "memory_mib": 1024, "walltime_seconds": 3600}


def submit(story: Story, *, actor: Actor | None = None, **parameters: Any) -> UUID:  # noqa: ANN401 - a form
    raw = {"name": "nightly", "tests": ["a", "b"], "seeds": 4, "resources": RESOURCES, **parameters}
    request = SubmitRequest(project="chips", template="rtl-regression", parameters=raw)
    made = asyncio.run(submit_job(story.city.services, actor or story.city.chips.member, request))
    story.step()
    return made.job_id


def end(  # noqa: PLR0913 - what a task leaves
    story: Story,
    job_id: UUID,
    index: int,
    *,
    line: str = "",
    cycles: int = 100,
    seconds: float = 1.5,
    points: int = 0,
) -> None:
    """End a running task as rtl_task.sh would: with its facts written down, then its exit code."""
    facts = {
        "stage": "simulation",
        "exit_code": int(bool(line)),
        **({"fail_line_number": 7, "fail_line": line} if line else {}),
        "pass_seen": "no" if line else "yes",
        "microseconds": round(seconds * 1e6),
        **({"coverage_points": points} if points else {}),
        "statistics": f"TB_STAT cycles={cycles}",
        "build": BUILD,
    }
    folder = workspace(story, job_id) / "regression/results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(index)).write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    story.scheduler.advance(10)
    story.scheduler.finish(job_id, index, exit_code=int(bool(line)))


def workspace(story: Story, job_id: UUID) -> Path:
    return story.context.workspace_root / str(story.job(job_id).workspace)


def collect(story: Story) -> None:
    story.step()
    step = CollectStep(story.context)

    async def until_done() -> None:
        while await step():
            pass

    asyncio.run(until_done())
    story.step()


def campaign(story: Story, campaign_id: UUID) -> CampaignView:
    with story.city.services.reading() as session:
        return get_campaign(session, story.city.chips.member, campaign_id)


def rerun(story: Story, campaign_id: UUID, wish: RerunWish, key: str | None = None) -> UUID:
    actor = story.city.chips.member
    made = asyncio.run(rerun_failed(story.city.services, actor, campaign_id, wish, idempotency_key=key))
    story.step()
    return made.job_id


def test_what_was_edited_by_hand_runs_again_edited(story: Story) -> None:
    made = CATALOG["rtl-regression"].render(CATALOG["rtl-regression"].validate({})).script or ""
    edited = made.replace("set -u", "echo by hand\nset -u", 1)
    raw = {"name": "nightly", "tests": ["a"], "seeds": 2, "resources": RESOURCES}
    request = SubmitRequest(project="chips", template="rtl-regression", parameters=raw, script=edited)
    first = asyncio.run(submit_job(story.city.services, story.city.chips.member, request)).job_id
    story.step()
    end(story, first, 0, line=LEVEL % (500, 4))
    end(story, first, 1)
    collect(story)
    again = rerun(story, first, RerunWish())
    with story.city.services.engine.connect() as connection:
        found = select(col(Job.spec)).where(col(Job.id).in_([first, again]))
        specs = connection.execute(found).scalars()
        assert [spec["script"] for spec in specs] == [edited, edited]
        assert [generated_script(connection, one) for one in (first, again)] == [made, made]


def test_results_are_kept_once_and_failures_grouped_by_cause(story: Story) -> None:
    job_id = submit(story)
    end(story, job_id, 0)
    end(story, job_id, 1, line=LEVEL % (500, 4), cycles=50)
    collect(story)
    with story.city.services.reading() as session:
        first, sequence = verdicts(session, job_id)
    assert first == {0: Verdict.PASS, 1: Verdict.FAIL}
    end(story, job_id, 2, line=LEVEL % (90, 2), cycles=9)
    end(story, job_id, 3, line="FATAL: cannot open memory")
    story.scheduler.finish(job_id, 4, state=JobState.TIMEOUT, exit_code=1)
    collect(story)
    collect(story)
    with story.city.services.reading() as session:
        later, _ = verdicts_since(session, job_id, after=sequence)
        groups = failure_groups(session, job_id)
        stored = session.connection().execute(select(func.count()).select_from(CampaignResult)).scalar_one()
    assert set(later) == {2, 3, 4}
    assert stored == 5
    shown = [(one.signature, one.count, one.first.task_index, one.shortest.task_index) for one in groups]
    assert shown == [
        ("TB_ERROR [LEVEL] t=* level mismatch: got * expected *", 2, 1, 2),
        ("FATAL: cannot open memory", 1, 3, 3),
        ("no verdict: the task ended as TIMEOUT", 1, 4, 4),
    ]
    run = campaign(story, job_id).first
    assert (run.passed, run.failed, run.no_verdict, run.wall_ms) == (1, 3, 1, 6000)


def test_a_result_tells_where_its_waveform_lies(story: Story) -> None:
    job_id = submit(story, waves=True)
    waves = workspace(story, job_id) / "waves"
    waves.mkdir(parents=True)
    (waves / "a-1.fst").touch()
    end(story, job_id, 0, line=LEVEL % (500, 4))
    end(story, job_id, 1)
    collect(story)
    with story.city.services.reading() as session:
        rows = list_results(session, job_id, failing=False).items

    assert [(row.label, row.waveform) for row in rows] == [("a seed 1", "waves/a-1.fst"), ("a seed 2", "")]


def test_a_result_that_comes_late_over_the_network_is_waited_for(story: Story) -> None:
    job_id = submit(story, seeds=1)
    story.scheduler.finish(job_id, 0)
    story.scheduler.finish(job_id, 1)
    collect(story)
    assert campaign(story, job_id).first.has_result == 0
    story.clock.advance(31)
    collect(story)
    run = campaign(story, job_id).first
    assert (run.no_verdict, run.is_read, run.pass_rate) == (2, True, 0)


@pytest.mark.parametrize("finish_rest", [True, False])
def test_after_so_many_failures_nothing_more_starts_and_the_rest_of_the_hold_comes_back_once(
    story: Story, *, finish_rest: bool
) -> None:
    free, _, _ = story.vnd()
    job_id = submit(story, seeds=8, stop_failures=2)  # sixteen tasks, four at once
    end(story, job_id, 0)
    for index in (1, 2):
        end(story, job_id, index, line=LEVEL % (index, index))
    running = {index for _, index, _ in story.scheduler.running()}
    collect(story)
    run = campaign(story, job_id).first
    assert run.stopped_by is StoppedBy.FAILURES
    assert {index for _, index, _ in story.scheduler.running()} == running, "what runs may end"
    for index in sorted(running):
        end(story, job_id, index, line="" if finish_rest else LEVEL % (index, index))
    collect(story)
    collect(story)
    job, run = story.job(job_id), campaign(story, job_id).first
    assert (job.state, run.is_read, run.has_result) == (JobState.FAILED, True, 3 + len(running))
    assert run.never_ran == job.tasks_cancelled == 16 - 3 - len(running)
    available, held, consumed = story.vnd()
    assert (held, available) == (0, free - consumed)
    assert consumed == job.charged_vnd
    story.require_exact_ledger()


def test_at_its_cost_cap_a_campaign_stops_and_runs_nothing_again(story: Story) -> None:
    job_id = submit(story, seeds=8, stop_cost_vnd=10)
    story.scheduler.advance(600)
    end(story, job_id, 0, line="FATAL: x")
    collect(story)
    collect(story)
    assert campaign(story, job_id).first.stopped_by is StoppedBy.COST
    while story.scheduler.running():
        for _, index, _ in story.scheduler.running():
            end(story, job_id, index)
    collect(story)
    assert story.job(job_id).tasks_cancelled == 11
    with pytest.raises(InvalidSubmission, match="cap"):
        rerun(story, job_id, RerunWish())
    story.require_exact_ledger()


def test_what_failed_runs_again_as_a_new_run_of_the_same_campaign(story: Story) -> None:
    job_id = submit(story, seeds=2)
    for index in range(4):
        end(story, job_id, index, line="" if index % 2 else "FATAL: x")
    collect(story)
    again = rerun(story, job_id, RerunWish(with_waves=True), key="k1")
    assert rerun(story, job_id, RerunWish(with_waves=True), key="k1") == again
    others = rerun(story, job_id, RerunWish(new_seeds=True, with_waves=False, run=0))
    assert story.job(again).parameters["only_tasks"] == [0, 2]
    assert story.job(again).parameters["waves"]
    end(story, again, 0)
    end(story, again, 2, line="FATAL: x")
    for index in (0, 2):
        end(story, others, index)
    collect(story)
    found = campaign(story, job_id)
    assert [(run.number, run.kind, run.tasks_total, run.passed) for run in found.runs] == [
        (0, RunKind.FIRST, 4, 2),
        (1, RunKind.SAME_SEEDS, 2, 1),
        (2, RunKind.NEW_SEEDS, 2, 2),
    ]
    with story.city.services.reading() as session:
        assert [(one.row, one.column, one.passed, one.total) for one in flaky_cells(session, found)] == [
            ("a", "1", 1, 2)
        ]


def test_without_failures_there_is_nothing_to_run_again(story: Story) -> None:
    job_id = submit(story, seeds=1)
    with pytest.raises(InvalidSubmission, match="nothing to run again"):
        rerun(story, job_id, RerunWish())
    assert len(campaign(story, job_id).runs) == 1


def test_a_campaign_is_compared_with_the_last_of_its_name(story: Story) -> None:
    ids = []
    for lines in (("FATAL: old", ""), ("", "FATAL: new")):
        ids.append(submit(story, seeds=1))
        for index, line in enumerate(lines):
            end(story, ids[-1], index, line=line)
        collect(story)
        submit(story, name="another", seeds=1)
    now = campaign(story, ids[1])
    with story.city.services.reading() as session:
        found = compare_with_last(session, now)
        history = history_by_test(session, now)
        first = compare_with_last(session, campaign(story, ids[0]))
    assert found
    assert found.before_id == ids[0]
    shown = [
        [(one.row, one.before, one.now) for one in part.cells]
        for part in (found.newly_failing, found.newly_passing, found.still_failing)
    ]
    assert shown == [[("b", Verdict.PASS, Verdict.FAIL)], [("a", Verdict.FAIL, Verdict.PASS)], []]
    assert (found.new_causes, found.gone_causes) == (("FATAL: new",), ("FATAL: old",))
    trends = [(one.name, [(p.passed, p.total, p.mean_seconds) for p in one.points if p]) for one in history]
    assert trends == [
        ("a", [(0, 1, 1.5), (1, 1, 1.5)]),
        ("b", [(1, 1, 1.5), (0, 1, 1.5)]),
    ]
    assert first is None


def test_what_fails_still_what_takes_longer_and_what_is_covered_is_told(story: Story) -> None:
    ids = []
    for seconds, points in ((2.0, 40), (2.75, 44)):
        ids.append(submit(story, seeds=2))
        end(story, ids[-1], 0, seconds=seconds, points=points)
        end(story, ids[-1], 1, line="FATAL: x", seconds=9 * seconds, points=points + 2)
        end(story, ids[-1], 2, seconds=seconds - 1.0)
        story.scheduler.finish(ids[-1], 3, state=JobState.TIMEOUT, exit_code=1)
        collect(story)
    now = campaign(story, ids[1])
    with story.city.services.reading() as session:
        found = compare_with_last(session, now)
        assert compare_with_last(session, now) is found, "of what is over nothing changes any more"
        tests, campaigns = history_by_test(session, now), history_of_name(session, now)
        rows = list(
            csv.DictReader(io.StringIO(export_run(session, now, now.first, ExportFormat.CSV).decode()))
        )
    assert found
    assert [(one.row, one.column, one.now) for one in found.still_failing.cells] == [
        ("a", "2", Verdict.FAIL),
        ("b", "2", Verdict.NO_VERDICT),
    ]
    # The failed cell of "a" took longer, too, but stops where it fails: only its other one is compared.
    assert [(one.row, one.cells, one.seconds_before, one.seconds_now) for one in found.slower] == [
        ("a", 1, 2.0, 2.75),
        ("b", 1, 1.0, 1.75),
    ]
    assert [[p and p.coverage_points for p in one.points] for one in tests] == [[41, 45], [None, None]]
    assert [(p.passed, p.total, p.coverage_percent) for p in campaigns] == [(2, 4, None), (2, 4, None)]
    assert [(row["before"], row["before_wall_seconds"], row["change"]) for row in rows] == [
        ("pass", "2.0", ""),
        ("fail", "18.0", "still_failing"),
        ("pass", "1.0", ""),
        ("no_verdict", "0.0", "still_failing"),
    ]
    lines = history_to_csv(tests).decode().splitlines()
    assert len(lines) == 1 + 2 * 2
    assert lines[2].split(",")[3:] == ["1", "2", "13.750", "45.0"]


def test_the_compact_matrix_follows_the_results(story: Story) -> None:
    job_id = submit(story, seeds=3)  # six tasks, four at once
    end(story, job_id, 1, line="FATAL: x")
    collect(story)

    def states() -> str:
        with story.city.services.reading() as session:
            found = compact_matrix(session, job_id)
        assert (found.rows, found.columns) == (("a", "b"), ((1, 3),))
        assert found.blocks == ((0, 0, 0, 3), (3, 1, 0, 3))
        return found.states

    assert states() == "1r1f3r1w"
    story.scheduler.finish(job_id, 0, state=JobState.TIMEOUT)
    end(story, job_id, 2)
    collect(story)
    assert states() == "1n1f1p3r"


def test_another_tenant_s_campaign_does_not_exist(story: Story) -> None:
    job_id = submit(story)
    rival = story.city.rivals.lead
    with story.city.services.reading() as session:
        assert list_campaigns(session, rival, CampaignFilter()).items == ()
        with pytest.raises(CampaignNotFound):
            get_campaign(session, rival, job_id)
    with pytest.raises(CampaignNotFound):
        stop_campaign(story.city.services, rival, job_id)
    with pytest.raises(CampaignNotFound):
        asyncio.run(rerun_failed(story.city.services, rival, job_id, RerunWish()))


def test_who_may_cancel_its_jobs_may_stop_a_campaign_and_only_once(story: Story) -> None:
    job_id = submit(story, actor=story.city.chips.lead)
    with pytest.raises(NotAllowed):
        stop_campaign(story.city.services, story.city.chips.member, job_id)
    assert stop_campaign(story.city.services, story.city.chips.lead, job_id) == [job_id]
    assert stop_campaign(story.city.services, story.city.chips.lead, job_id) == []
    collect(story)
    collect(story)
    run = campaign(story, job_id).first
    assert (run.stopped_by, run.state, run.never_ran) == (StoppedBy.PERSON, JobState.CANCELLED, 8)
    assert story.vnd()[1] == 0
    story.require_exact_ledger()


def test_exports_hold_every_task_also_hostile_lines_and_those_that_never_ran(story: Story) -> None:
    job_id = submit(story, seeds=2)
    end(story, job_id, 0)
    end(story, job_id, 1, line='=cmd FATAL: <b>&"]]> \x1b[31m\x08 đỏ \ufffe')
    story.scheduler.finish(job_id, 2, state=JobState.OUT_OF_MEMORY, exit_code=1)
    collect(story)
    found = campaign(story, job_id)
    with story.city.services.reading() as session:
        csv_text, json_text, xml_text = (
            export_run(session, found, found.first, form).decode()
            for form in (ExportFormat.CSV, ExportFormat.JSON, ExportFormat.JUNIT)
        )
    rows = list(csv.DictReader(io.StringIO(csv_text)))
    assert [row["verdict"] for row in rows] == ["pass", "fail", "no_verdict", "not_run"]
    assert rows[1]["line"].startswith("'=cmd"), "no spreadsheet takes it for a formula"
    assert [task["verdict"] for task in json.loads(json_text)["tasks"]] == [row["verdict"] for row in rows]
    suites = junitparser.JUnitXml.fromstring(xml_text)
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (4, 1, 1, 1)
    assert [suite.name for suite in suites] == ["a", "b"]
    [case] = [case for suite in suites for case in suite if case.name == "a 2"]
    assert 'FATAL: <b>&"]]>' in case.result[0].message
