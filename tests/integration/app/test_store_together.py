"""Submissions of one batch share their statements, and each stands or is refused alone; on both databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.errors import IdempotencyKeyReused, TenantNotActive
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.prepare import prepare_job
from hpc_portal.app.jobs.store_together import Submission, SubmittedJob, store_together
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.prices.publish import publish_prices, retire_prices
from quotas import pricing
from quotas.errors import BudgetExceeded, LimitExceeded, PriceListRetired
from quotas.limits import LimitKind, LimitOwner
from quotas.pricing import PriceItem
from quotas.set_limit import set_limit
from quotas.tables import Project, TenantState
from schedulers.jobspec import ArraySpec, JobSpec
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HELD_FOR_AN_HOUR, spec, stored_jobs
from tests.small_city import PRICES

GRANTED = 100_000_000
TOO_DEAR = spec("dear", array=ArraySpec(expression="0-299999"))


def submission(story: Story, asked: JobSpec, key: str | None = None) -> Submission:
    """As `submit_job` prepares it."""
    services, actor = story.city.services, story.city.chips.member
    request = SubmitRequest(project="chips", spec=asked, idempotency_key=key)
    prepared = prepare_job(services, actor, request)
    resources = prepared.spec.resources
    price_list = services.price_list.get()
    estimate = pricing.estimate(
        resources.tres,
        walltime_seconds=resources.walltime_seconds or 0,
        tasks=prepared.spec.task_count,
        partition=prepared.spec.partition or "",
        price_list=price_list,
    )
    return Submission(services, actor, request, prepared, estimate, price_list)


def store(story: Story, submissions: Sequence[Submission]) -> list[SubmittedJob | Exception]:
    engine = story.city.services.engine
    return list(transact(engine, lambda connection: store_together(connection, submissions)))


def test_each_of_a_batch_is_stored_held_and_told(story: Story) -> None:
    batch = [submission(story, spec(f"job-{number}")) for number in range(5)]
    outcomes = store(story, batch)
    assert outcomes == [SubmittedJob(one.job_id, is_new=True) for one in batch]
    assert [story.job(one.job_id).name for one in batch] == [f"job-{number}" for number in range(5)]
    assert story.vnd() == (GRANTED - 5 * HELD_FOR_AN_HOUR, 5 * HELD_FOR_AN_HOUR, 0)
    story.require_exact_ledger()


def test_one_that_is_refused_takes_nobody_else_with_it(story: Story) -> None:
    batch = [submission(story, asked) for asked in (spec("before"), TOO_DEAR, spec("after"))]
    before, dear, after = store(story, batch)
    assert isinstance(dear, BudgetExceeded)
    assert [isinstance(one, SubmittedJob) for one in (before, after)] == [True, True]
    assert stored_jobs(story) == 2
    assert story.vnd()[1] == 2 * HELD_FOR_AN_HOUR
    story.require_exact_ledger()


def test_a_key_that_comes_twice_in_a_batch_makes_one_job(story: Story) -> None:
    batch = [submission(story, spec(), key="k"), submission(story, spec(), key="k")]
    first, again = store(story, batch)
    assert first == SubmittedJob(batch[0].job_id, is_new=True)
    assert again == SubmittedJob(batch[0].job_id, is_new=False)
    later = [submission(story, asked, key="k") for asked in (spec("other"), spec())]
    other, repeated = store(story, later)
    assert isinstance(other, IdempotencyKeyReused)
    assert repeated == again
    assert stored_jobs(story) == 1
    assert story.vnd()[1] == HELD_FOR_AN_HOUR


def test_a_limit_counts_those_before_it_in_the_batch(story: Story) -> None:
    with story.city.services.engine.begin() as connection:
        set_limit(
            connection,
            owner_kind=LimitOwner.PROJECT,
            owner_id=story.city.chips.project_id,
            kind=LimitKind.JOBS_QUEUED,
            value=2,
            actor_id=None,
            at=story.clock.now(),
        )
    outcomes = store(story, [submission(story, spec()) for _ in range(3)])
    assert [type(outcome) for outcome in outcomes] == [SubmittedJob, SubmittedJob, LimitExceeded]
    assert stored_jobs(story) == 2


def test_a_submission_that_is_stored_again_is_found_and_not_made_again(story: Story) -> None:
    batch = [submission(story, spec(), key="k"), submission(story, spec())]
    store(story, batch)
    outcomes = [store(story, [one])[0] for one in batch]
    assert [outcome.job_id for outcome in outcomes if isinstance(outcome, SubmittedJob)] == [
        one.job_id for one in batch
    ]
    assert stored_jobs(story) == 2
    assert story.vnd()[1] == 2 * HELD_FOR_AN_HOUR
    story.require_exact_ledger()


def test_a_key_gives_its_job_also_when_by_now_it_would_be_refused(story: Story) -> None:
    made = story.submit(spec(), idempotency_key="k")
    with story.city.services.engine.begin() as connection:
        connection.execute(
            update(Project)
            .where(col(Project.id) == story.city.chips.project_id)
            .values(state=TenantState.SUSPENDED)
        )
    services, actor = replace(story.city.services), story.city.chips.member  # nothing kept in memory
    again = SubmitRequest(project="chips", spec=spec(), idempotency_key="k")
    assert asyncio.run(submit_job(services, actor, again)) == SubmittedJob(made, is_new=False)
    for key in (None, "new"):
        refused = SubmitRequest(project="chips", spec=spec(), idempotency_key=key)
        with pytest.raises(TenantNotActive):
            asyncio.run(submit_job(services, actor, refused))
    assert story.job(made).phase is Phase.ACCEPTED


def test_a_job_priced_by_a_list_that_was_just_retired_is_priced_anew(story: Story) -> None:
    services = story.city.services
    dearer = [PriceItem(item.tres, 3 * item.rate_vnd_per_hour, item.partition) for item in PRICES]
    publish_prices(services, OPERATOR, dearer)
    services.price_list.forget()
    stale = submission(story, spec("stale"))
    retire_prices(services, OPERATOR, 2, reason="a slip of the pen")
    outcomes = store(story, [stale, stale])
    assert [type(outcome) for outcome in outcomes] == [PriceListRetired] * 2
    job_id = story.submit(spec("fresh"))
    assert story.vnd() == (GRANTED - HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR, 0)
    assert story.job(job_id).estimated_vnd == HELD_FOR_AN_HOUR
    story.require_exact_ledger()
