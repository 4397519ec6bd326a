"""A job of which nobody can say whether its cluster has it waits for an administrator, and stops no other."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.errors import ChangeImpossible, JobNotFound, NotAllowed
from hpc_portal.app.jobs.decide_doubt import UNREADABLE, Decision, decide_doubt, list_doubtful_jobs
from hpc_portal.app.jobs.lifecycle import Phase
from schedulers.jobstate import JobState
from schedulers.memory import SubmitScenario
from schedulers.protocol import Accepted, Uncertain
from schedulers.reasons import is_known
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec


@pytest.fixture
def doubtful(story: Story, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """The cluster tells of it in a way that cannot be read."""
    story.scheduler.scenario = SubmitScenario.LOSE_REQUEST
    job_id = story.submit(spec("doubtful"))
    find = story.scheduler.find

    async def unreadable(users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        found = await find(users)
        return {**found, job_id: Uncertain(UNREADABLE)} if job_id in users else found

    monkeypatch.setattr(story.scheduler, "find", unreadable)
    for _ in range(2):
        story.step()
        story.clock.advance(3)
    story.scheduler.scenario = SubmitScenario.ACCEPT
    story.step()
    story.clock.advance(3)
    return job_id


def decide(story: Story, job_id: UUID, decision: Decision, *, reason: str = "squeue has no such job") -> None:
    decide_doubt(story.city.services, OPERATOR, job_id, decision, reason=reason)


def in_doubt(story: Story) -> list[UUID]:
    with story.city.services.reading() as session:
        found = list_doubtful_jobs(session, OPERATOR, now=story.clock.now())
    return [job.id for job in found]


def test_it_waits_with_its_reason_and_others_go_on(story: Story, doubtful: UUID) -> None:
    other = story.submit(spec("other"))
    with capture_logs() as logs:
        for _ in range(3):
            story.step()
            story.clock.advance(3)
    job = story.job(doubtful)
    assert (job.phase, job.state_reason, is_known(job.state_reason)) == (Phase.DISPATCHING, UNREADABLE, True)
    assert story.job(other).phase is Phase.TRACKED
    assert in_doubt(story) == [doubtful]
    assert [log["event"] for log in logs].count("dispatch.uncertain") == 0  # that was said when it began


def test_one_that_the_cluster_does_not_have_is_sent_again_and_runs_once(story: Story, doubtful: UUID) -> None:
    decide(story, doubtful, Decision.SEND_AGAIN)
    story.step()
    assert story.job(doubtful).phase is Phase.TRACKED
    assert story.scheduler.started == [(doubtful, 0, 0)]
    assert in_doubt(story) == []


def test_one_that_nobody_needs_ends_and_gives_its_budget_back(story: Story, doubtful: UUID) -> None:
    assert story.vnd()[1] > 0
    decide(story, doubtful, Decision.END)
    story.step()
    job = story.job(doubtful)
    assert (job.phase, job.state, job.charged_vnd) == (Phase.SETTLED, JobState.CANCELLED, 0)
    assert story.vnd()[1:] == (0, 0)
    assert story.scheduler.started == []
    story.require_exact_ledger()


def test_of_two_who_decide_the_first_does(story: Story, doubtful: UUID) -> None:
    decide(story, doubtful, Decision.END)
    with pytest.raises(ChangeImpossible):
        decide(story, doubtful, Decision.SEND_AGAIN)
    story.step()
    assert story.job(doubtful).state is JobState.CANCELLED


def test_only_administrators_see_and_decide_and_they_say_why(story: Story, doubtful: UUID) -> None:
    lead = story.city.chips.lead
    with pytest.raises(NotAllowed):
        decide_doubt(story.city.services, lead, doubtful, Decision.END, reason="mine")
    with story.city.services.reading() as session, pytest.raises(NotAllowed):
        list_doubtful_jobs(session, lead, now=story.clock.now())
    with pytest.raises(ChangeImpossible, match="audit log"):
        decide(story, doubtful, Decision.END, reason=" ")
    assert story.job(doubtful).phase is Phase.DISPATCHING


def test_a_job_that_nobody_doubts_is_left_alone(story: Story) -> None:
    running = story.submit(spec("running"))
    story.step()
    with pytest.raises(ChangeImpossible):
        decide(story, running, Decision.END)
    with pytest.raises(JobNotFound):
        decide(story, UUID(int=7), Decision.END)
    assert story.job(running).phase is Phase.TRACKED
