"""What a job costs while prices and subsidies change around it: what it was submitted at, to the đồng."""

from datetime import timedelta

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.jobs.cost import job_cost
from hpc_portal.app.jobs.estimate import estimate_job
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.submit import SubmitRequest
from hpc_portal.app.prices.publish import publish_prices, retire_prices
from hpc_portal.app.prices.subsidise import end_rule, make_rule
from quotas.pricing import PriceItem
from quotas.tables import OrganisationKind
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from tests.integration.app.conftest import Story
from tests.small_city import PRICES

HOUR = 3600
SPEC = JobSpec(
    name="sim",
    argv=("/bin/true",),
    resources=ResourceRequest(cpus_per_task=1, memory_mib_per_node=1024, walltime_seconds=HOUR),
    array=ArraySpec(expression="0-1"),
)
"""Each task costs 360 đồng for its CPU and 36 for its GiB, at most."""


def test_a_job_keeps_its_prices_and_its_subsidy_whatever_is_published_ended_or_retired(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    rule = make_rule(
        services, OPERATOR, basis_points=2500, organisation_kind=OrganisationKind.STARTUP, reason="a test"
    )
    told = estimate_job(services, member, SubmitRequest(project="chips", spec=SPEC))
    assert (told.list_vnd, told.subsidy_vnd, told.total_vnd) == (792, 198, 594)
    assert [(line.list_vnd, line.subsidy_vnd, line.vnd) for line in told.lines] == [
        (720, 180, 540),
        (72, 18, 54),
    ]
    job_id = story.submit(SPEC)
    assert story.job(job_id).estimated_vnd == 594
    assert story.vnd() == (100_000_000 - 594, 594, 0)
    story.step()

    dear = [PriceItem(item.tres, 10 * item.rate_vnd_per_hour, item.partition) for item in PRICES]
    publish_prices(services, OPERATOR, dear)
    retire_prices(services, OPERATOR, 1, reason="too cheap")
    story.scheduler.advance(1)
    end_rule(services, OPERATOR, rule, reason="no money")
    story.scheduler.advance(HOUR / 2 - 1)
    for task_index in (0, 1):
        story.scheduler.finish(job_id, task_index)
    story.step()

    with services.reading() as session:
        cost = job_cost(session.connection(), get_job(session, member, job_id))
    assert (cost.list_vnd, cost.subsidy_vnd, cost.charged_vnd) == (396, 100, 296)  # each run: 198 - 49.5
    assert sum(line.charged_vnd for line in cost.lines) == story.job(job_id).charged_vnd == 296
    assert all(line.list_vnd - line.subsidy_vnd == line.charged_vnd for line in cost.lines)
    assert (cost.price_list_version, cost.subsidy.basis_points) == (1, 2500)
    assert story.vnd() == (100_000_000 - 296, 0, 296)
    story.require_exact_ledger()


def test_the_next_job_has_the_next_prices_and_no_subsidy_that_ended(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    now = services.clock.now()
    make_rule(
        services,
        OPERATOR,
        basis_points=10_000,
        valid_from=now,
        valid_to=now + timedelta(hours=1),
        reason="a test",
    )
    request = SubmitRequest(project="chips", spec=SPEC)
    assert estimate_job(services, member, request).total_vnd == 0
    story.clock.advance(HOUR)
    assert estimate_job(services, member, request).total_vnd == 792
