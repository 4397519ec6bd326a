"""Every error that we raise on purpose has its own row, so that clients can tell them apart."""

import pytest

import hpc_portal.app.errors as app
import hpc_portal.auth.errors as auth
import quotas.errors as quotas
import schedulers.errors as schedulers
import workloads.errors as workloads
from hpc_portal.api.problems import PROBLEMS, kind_of

MODULES = (app, auth, quotas, schedulers, workloads)


def leaves(base: type[Exception]) -> set[type[Exception]]:
    """The classes below `base` that have no further ones below, in the packages' error modules."""
    below = [
        kind for kind in base.__subclasses__() if kind.__module__ in {module.__name__ for module in MODULES}
    ]
    return set().union(*map(leaves, below)) if below else {base}


LEAVES = sorted(
    leaves(app.PortalError)
    | leaves(quotas.QuotaError)
    | leaves(schedulers.SchedulerError)
    | leaves(workloads.WorkloadError),
    key=lambda kind: f"{kind.__module__}.{kind.__name__}",
)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_has_its_row(kind: type[Exception]) -> None:
    assert kind in PROBLEMS, (
        f"{kind.__name__} has no row in PROBLEMS (hpc_portal/api/problems.py): say its status, name and title"
    )


def test_the_names_of_problems_are_unique_and_titles_say_something() -> None:
    names = [problem.name for problem in PROBLEMS.values()]
    assert len(set(names)) == len(names)
    assert all(problem.title and 400 <= problem.status < 600 for problem in PROBLEMS.values())


def test_the_most_specific_row_wins_and_strangers_are_internal() -> None:
    assert kind_of(app.JobNotFound("x")).name == "job-not-found"
    assert kind_of(app.NotFound("thing", "x")).name == "not-found"
    assert kind_of(ValueError()).status == 500
