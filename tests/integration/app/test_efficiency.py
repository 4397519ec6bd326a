"""What jobs used of what they asked for, and what their owner is proposed for the next ones."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.efficiency import Efficiency, job_efficiency
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.size_from_history import SizeProposal, propose_size
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.tables import JobTask
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.integration.app.conftest import Story

HOUR = 3600
SIXTEEN = ResourceRequest(cpus_per_task=16, memory_mib_per_node=16 * 1024, walltime_seconds=4 * HOUR)


def spec(resources: ResourceRequest = SIXTEEN, **more: object) -> JobSpec:
    return JobSpec.model_validate({"name": "sim", "argv": ("/bin/true",), "resources": resources, **more})


def ended(story: Story, job_id: UUID, *, cores: float, peak_mib: int, seconds: int = HOUR) -> UUID:
    """Run the job for so long, with this use."""
    story.step()
    story.scheduler.advance(seconds)
    story.scheduler.finish(job_id)
    story.step()
    used = {"cpu_seconds": cores * seconds, "max_rss_mib": peak_mib}
    transact(
        story.city.services.engine,
        lambda connection: connection.execute(
            update(JobTask).where(col(JobTask.job_id) == job_id).values(**used)
        ),
    )
    return job_id


def efficiency(story: Story, job_id: UUID) -> Efficiency | None:
    with Session(story.city.services.engine) as session:
        job = get_job(session, story.city.chips.member, job_id)
        return job_efficiency(session.connection(), job)


def test_a_job_that_asked_for_too_much_is_told_what_would_have_been_enough_and_its_price(
    story: Story,
) -> None:
    found = efficiency(story, ended(story, story.submit(spec()), cores=3, peak_mib=3000))
    assert found is not None
    assert (found.used.average_cores, found.cpus_asked, found.cpus_enough) == (3, 16, 4)
    assert (found.memory_mib_asked, found.memory_mib_enough) == (16 * 1024, 3840)
    # An hour of 16 cores at 360 and 16 GiB at 36, and of 4 cores and 3.75 GiB: 135 for the memory.
    assert (found.list_vnd, found.saved_vnd) == (16 * 360 + 16 * 36, 16 * 360 + 16 * 36 - 4 * 360 - 135)
    assert not found.is_well_sized


def test_one_thread_needs_one_core_and_not_two(story: Story) -> None:
    found = efficiency(story, ended(story, story.submit(spec()), cores=1.03, peak_mib=0))
    assert found is not None
    assert (found.cpus_enough, found.memory_mib_enough) == (1, SIXTEEN.memory_mib_per_node)


@pytest.mark.parametrize(
    "asked",
    [
        SIXTEEN.model_copy(update={"ntasks": 4, "cpus_per_task": 4}),
        ResourceRequest(cpus_per_task=16, memory_mib_per_node=256, walltime_seconds=2 * HOUR),
    ],
    ids=["several ranks", "as much as needed"],
)
def test_nothing_is_proposed_where_nothing_better_is_known(story: Story, asked: ResourceRequest) -> None:
    found = efficiency(story, ended(story, story.submit(spec(asked)), cores=15, peak_mib=250))
    assert found is not None
    assert (found.is_well_sized, found.saved_vnd) == (True, 0)


def test_what_has_no_price_is_judged_without_money(story: Story) -> None:
    job_id = ended(story, story.submit(spec()), cores=3, peak_mib=3000)
    unpriced = SIXTEEN.model_copy(update={"licenses": {"nobody-sells": 1}})
    with Session(story.city.services.engine) as session:
        job = get_job(session, story.city.chips.member, job_id)
        priced = replace(job, spec=job.spec.model_copy(update={"resources": unpriced}))
        found = job_efficiency(session.connection(), priced)
    assert found is not None
    assert (found.cpus_enough, found.list_vnd, found.saved_vnd) == (4, 0, 0)


def test_what_ran_for_seconds_says_nothing(story: Story) -> None:
    assert efficiency(story, ended(story, story.submit(spec()), cores=1, peak_mib=10, seconds=9)) is None


def submit_script(story: Story, actor: Actor) -> UUID:
    parameters = {"script": "#!/bin/sh\ntrue\n", "resources": {"cpus": 8, "memory_mib": 8192}}
    request = SubmitRequest(project="chips", template="script", parameters=parameters)
    return asyncio.run(submit_job(story.city.services, actor, request)).job_id


def proposal(story: Story, actor: Actor) -> SizeProposal | None:
    with story.city.services.engine.connect() as connection:
        return propose_size(
            connection, actor, "script", now=datetime.now(UTC)
        )  # ids are made by the real clock


def test_the_largest_of_ones_own_last_jobs_sizes_the_next(story: Story) -> None:
    member, lead = story.city.chips.member, story.city.chips.lead
    for cores, peak, seconds in ((1.9, 900, 600), (0.9, 1500, 1200)):
        assert proposal(story, member) is None
        ended(story, submit_script(story, member), cores=cores, peak_mib=peak, seconds=seconds)
    ended(story, submit_script(story, lead), cores=8, peak_mib=8000, seconds=3000)
    found = proposal(story, member)
    assert found is not None
    assert (found.jobs, found.cpus, found.memory_mib, found.walltime_seconds) == (2, 3, 2048, 1800)
    assert proposal(story, lead) is None
