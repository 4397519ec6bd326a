"""What a dependency says about a waiting job."""

from uuid import uuid4

import pytest

from hpc_portal.app.jobs.dependencies import Answer, ask
from schedulers.jobspec import Dependency, DependencyKind
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
