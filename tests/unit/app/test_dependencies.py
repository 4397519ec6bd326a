"""What a dependency says about a waiting job."""

from uuid import uuid4

import pytest

from hpc_portal.app.jobs.dependencies import Answer, ask, narrow
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec
from schedulers.jobstate import JobState

GO, NEVER = Answer.GO, Answer.NEVER


@pytest.mark.parametrize("kind", list(DependencyKind))
def test_nothing_starts_before_the_other_job_has_ended(kind: DependencyKind) -> None:
    assert ask(Dependency(kind=kind, job_id=uuid4()), has_ended=False, state=JobState.RUNNING) is Answer.WAIT


@pytest.mark.parametrize(
    ("kind", "state", "answer"),
    [
        (DependencyKind.AFTEROK, JobState.COMPLETED, GO),
        (DependencyKind.AFTEROK, JobState.FAILED, NEVER),
        (DependencyKind.AFTEROK, JobState.CANCELLED, NEVER),
        (DependencyKind.AFTERANY, JobState.TIMEOUT, GO),
        (DependencyKind.AFTERNOTOK, JobState.COMPLETED, NEVER),
        (DependencyKind.AFTERNOTOK, JobState.OUT_OF_MEMORY, GO),
    ],
)
def test_the_end_of_the_other_job_decides(kind: DependencyKind, state: JobState, answer: Answer) -> None:
    assert ask(Dependency(kind=kind, job_id=uuid4()), has_ended=True, state=state) is answer


def test_aftercorr_leaves_the_tasks_whose_counterpart_completed() -> None:
    spec = JobSpec(name="check", argv=("true",), array=ArraySpec(expression="0-9%2"))
    narrowed = narrow(spec, {0, 1, 2, 5, 77})
    assert narrowed
    assert narrowed.array == ArraySpec(expression="0-2,5%2")
    assert narrow(spec, set(range(10))) is spec
    assert narrow(spec, {77}) is None
