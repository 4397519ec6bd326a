"""What a job may wish for beside sizes, on every backend: whole nodes, a time to begin, a place."""

from datetime import UTC, datetime, timedelta

import pytest

from schedulers.cluster import Ability
from schedulers.jobspec import ResourceRequest
from schedulers.protocol import Refused
from tests.contract.benches import Behaviour, Bench

pytestmark = pytest.mark.anyio

SMALL = ResourceRequest(memory_mib_per_node=64, walltime_seconds=600)


async def test_an_exclusive_job_holds_every_cpu_and_gpu_of_its_node(bench: Bench) -> None:
    job_id = await bench.submit(Behaviour.STAYS, resources=SMALL, exclusive=True, nodelist=(bench.node.name,))
    await bench.running(job_id)
    nodes = {node.name: node for node in (await bench.scheduler.cluster()).nodes}
    node = nodes[bench.node.name]
    assert (node.allocated_cpus, node.allocated_gpus) == (bench.node.cpus, bench.node.gpus)


async def test_an_exclusive_job_waits_until_its_node_is_idle(bench: Bench) -> None:
    place = {"resources": SMALL, "nodelist": (bench.node.name,)}
    other = await bench.submit(Behaviour.STAYS, **place)
    await bench.running(other)
    whole = await bench.submit(Behaviour.STAYS, exclusive=True, **place)

    async def waits() -> bool:
        return (await bench.snapshot(whole)).pending_reason == "Resources"

    await bench.until(waits)
    await bench.scheduler.cancel([other])
    await bench.running(whole)


async def test_a_job_does_not_begin_before_its_time(bench: Bench) -> None:
    later = datetime.now(UTC) + timedelta(days=3650)
    job_id = await bench.submit(Behaviour.SUCCEEDS, resources=SMALL, begin_at=later)

    async def waits() -> bool:
        return (await bench.snapshot(job_id)).pending_reason == "BeginTime"

    await bench.until(waits)


async def test_a_wish_that_the_cluster_knows_nothing_of_is_refused(bench: Bench) -> None:
    wishes = [{"reservation": "nowhere"}, {"constraint": "nosuchfeature"}, {"qos": "nosuchqos"}]
    jobs = [bench.submission(Behaviour.SUCCEEDS, resources=SMALL, **wish) for wish in wishes]
    outcomes = await bench.scheduler.submit(jobs)
    assert all(isinstance(outcome, Refused) for outcome in outcomes), outcomes


async def test_the_cluster_tells_what_it_can_do(bench: Bench) -> None:
    cluster = await bench.scheduler.cluster()
    assert cluster.abilities in {frozenset(), frozenset(Ability)}
