"""What a run used reaches its record, whether the scheduler tells it with the end or has to be asked."""

import pytest

from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.memory import DEFAULT_FEATURES, GPU_BUSY_SHARE, NODE_WATTS
from schedulers.protocol import Feature
from tests.integration.app.conftest import Story


@pytest.fixture(params=["told", "asked"])
def features(request: pytest.FixtureRequest) -> frozenset[Feature]:
    """Of a scheduler that is its own meter, as Dask, and of one that is not, as Slurm."""
    return DEFAULT_FEATURES if request.param == "told" else DEFAULT_FEATURES - {Feature.METERS_USAGE}


def test_energy_is_kept_beside_what_is_charged(story: Story) -> None:
    job_id = story.submit(
        JobSpec(name="one", argv=("/bin/true",), resources=ResourceRequest(walltime_seconds=60))
    )
    story.step()
    story.scheduler.advance(30)
    story.scheduler.finish(story.job(job_id).scheduler_job_id)
    story.step()
    story.step()
    (run,) = story.runs(job_id)
    assert (run.settled_at is not None, run.elapsed_seconds) == (True, 30)
    assert run.energy_joules == 30 * NODE_WATTS


@pytest.mark.parametrize(("gpus", "busy"), [(0, None), (2, GPU_BUSY_SHARE * 2 * 30)])
def test_how_long_gpus_were_at_work_is_kept_and_unknown_where_there_are_none(
    story: Story, gpus: int, busy: float | None
) -> None:
    asked = ResourceRequest(walltime_seconds=60, gpus_per_node={"h100": gpus} if gpus else {})
    job_id = story.submit(JobSpec(name="one", argv=("/bin/true",), resources=asked))
    story.step()
    story.scheduler.advance(30)
    story.scheduler.finish(story.job(job_id).scheduler_job_id)
    story.step()
    story.step()
    (run,) = story.runs(job_id)
    assert (run.settled_at is not None, run.gpu_busy_seconds) == (True, busy)
