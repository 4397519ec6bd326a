"""A person who gets another account on the cluster while a job of theirs is in doubt loses nothing by it."""

from uuid import UUID

from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import ClusterAccount
from schedulers.memory import SubmitScenario
from tests.integration.app.outside.conftest import BINH, Outside

NEW = "binh.le"


def in_doubt(outside: Outside, scenario: SubmitScenario) -> UUID:
    """A job of Binh's whose answer did not come; he has another account since."""
    outside.reflect()
    outside.scheduler.scenario = scenario
    job_id = outside.submit(walltime_seconds=600)
    assert (outside.jobs[-1].phase, outside.jobs[-1].cluster_user) == (Phase.DISPATCHING, BINH)
    outside.scheduler.scenario = SubmitScenario.ACCEPT
    outside.execute(
        update(ClusterAccount).where(col(ClusterAccount.cluster_user) == BINH).values(cluster_user=NEW)
    )
    outside.reflect()
    return job_id


def test_a_job_that_the_cluster_has_is_found_as_the_user_it_was_sent_as(outside: Outside) -> None:
    job_id = in_doubt(outside, SubmitScenario.LOSE_ANSWER)
    outside.dispatch()
    (job,) = outside.jobs
    assert (job.phase, job.cluster_user) == (Phase.TRACKED, BINH)
    assert outside.scheduler.started == [(job_id, 0, 0)]


def test_a_job_that_the_cluster_never_had_is_sent_as_the_new_user(outside: Outside) -> None:
    job_id = in_doubt(outside, SubmitScenario.LOSE_REQUEST)
    outside.dispatch()
    outside.dispatch()
    (job,) = outside.jobs
    assert (job.phase, job.cluster_user) == (Phase.TRACKED, NEW)
    assert outside.scheduler.started == [(job_id, 0, 0)]
