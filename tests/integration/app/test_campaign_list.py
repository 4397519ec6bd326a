"""Regressions, sweeps and corners in one list: newest first, in pages, narrowed, and each tenant its own."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.list_all import list_all_campaigns
from hpc_portal.app.campaigns.queries import CampaignFilter
from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story
from tests.integration.app.test_campaigns import collect, end

RESOURCES = {"cpus": 1, "memory_mib": 512, "walltime_seconds": 600}
TEMPLATES: dict[str, tuple[str, dict[str, Any]]] = {
    "regression": ("rtl-regression", {"tests": ["a", "b"], "seeds": 1}),
    "sweep": ("training-sweep", {"trials": 2}),
    "corners": ("spice", {"corners": ["tt"], "voltages": [1.0], "temperatures": [25]}),
    "synthesis": ("synthesis", {"clock_periods_ns": [3.0]}),
    "neither": ("script", {"script": "#!/bin/bash\ntrue\n"}),
}


def submit(story: Story, what: str, name: str, *, actor: Actor | None = None) -> UUID:
    who = actor or story.city.chips.member
    template, parameters = TEMPLATES[what]
    raw = {"name": name, **parameters, "resources": RESOURCES}
    project = "rivals" if who is story.city.rivals.member else "chips"
    request = SubmitRequest(project=project, template=template, parameters=raw)
    return asyncio.run(submit_job(story.city.services, who, request)).job_id


def listed(story: Story, actor: Actor | None = None, **wanted: Any) -> list[str]:  # noqa: ANN401 - a filter
    kind = wanted.pop("kind", None)
    with story.city.services.reading() as session:
        page = list_all_campaigns(
            session, actor or story.city.chips.member, CampaignFilter(**wanted), kind=kind
        )
    return [one.name for one in page.items]


@pytest.fixture
def story(story: Story) -> Story:
    """A job of each sort, one after the other, and the rivals' own."""
    for what in TEMPLATES:
        submit(story, what, f"{what}-1")
    submit(story, "sweep", "rivals-sweep", actor=story.city.rivals.member)
    return story


def test_every_kind_is_listed_newest_first_and_no_other_job(story: Story) -> None:
    submit(story, "regression", "regression-2")
    assert listed(story) == ["regression-2", "synthesis-1", "corners-1", "sweep-1", "regression-1"]


def test_pages_hold_each_once_and_end(story: Story) -> None:
    for number in (2, 3):
        for what in ("regression", "sweep"):
            submit(story, what, f"{what}-{number}")
    expected = listed(story)
    assert len(expected) == 8
    for limit in (1, 3, 4, 8):
        found, cursor = [], None
        while True:
            with story.city.services.reading() as session:
                page = list_all_campaigns(
                    session, story.city.chips.member, CampaignFilter(), cursor=cursor, limit=limit
                )
            assert page.items, "a page that leads on is followed by another"
            found += [one.name for one in page.items]
            if page.next_cursor is None:
                break
            cursor = UUID(page.next_cursor)
        assert found == expected, limit


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (CampaignKind.REGRESSION, ["regression-1"]),
        (CampaignKind.SWEEP, ["sweep-1"]),
        (CampaignKind.CORNERS, ["synthesis-1", "corners-1"]),
    ],
)
def test_the_list_is_narrowed_to_a_kind(story: Story, kind: CampaignKind, names: list[str]) -> None:
    assert listed(story, kind=kind) == names


def test_the_list_is_narrowed_to_a_state_a_person_a_project_and_a_name(story: Story) -> None:
    story.step()
    [corners] = (one for one, _, _ in story.scheduler.running() if story.job(one).template == "spice")
    story.scheduler.finish(corners, 0)
    story.step()
    assert listed(story, states=[JobState.COMPLETED]) == ["corners-1"]
    assert listed(story, states=[JobState.RUNNING]) == ["synthesis-1", "sweep-1", "regression-1"]
    both = [JobState.COMPLETED, JobState.RUNNING]
    assert listed(story, states=both, kind=CampaignKind.CORNERS) == ["synthesis-1", "corners-1"]
    assert listed(story, states=[JobState.TIMEOUT]) == []
    submit(story, "corners", "corners-2", actor=story.city.chips.lead)
    assert listed(story, user=story.city.chips.lead.username) == ["corners-2"]
    assert listed(story, project="chips")[0] == "corners-2"
    assert listed(story, project="rivals") == []
    assert listed(story, name="sweep-1") == ["sweep-1"]
    assert listed(story, name="sweep") == [], "the whole name"
    assert listed(story, part_of_name="EEP") == ["sweep-1"]


def test_a_rerun_is_a_line_of_its_regression_and_none_by_itself(story: Story) -> None:
    story.step()
    with story.city.services.reading() as session:
        [first] = list_all_campaigns(
            session, story.city.chips.member, CampaignFilter(), kind=CampaignKind.REGRESSION
        ).items
    end(story, first.id, 0, line="FATAL: x")
    end(story, first.id, 1)
    collect(story)
    asyncio.run(rerun_failed(story.city.services, story.city.chips.member, first.id, RerunWish()))
    assert listed(story, kind=CampaignKind.REGRESSION) == ["regression-1"]


def test_a_tenant_sees_its_own_only(story: Story) -> None:
    assert listed(story, story.city.rivals.lead) == ["rivals-sweep"]
    assert "rivals-sweep" not in listed(story, story.city.chips.lead)
