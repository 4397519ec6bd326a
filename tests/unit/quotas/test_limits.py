"""Limits: the message says which one, whose, and who can raise it; levels add up as in Slurm."""

import pytest

from quotas.errors import LimitExceeded
from quotas.limits import InUse, JobDemand, Limit, LimitKind, LimitOwner, check, check_start, smallest

ORGANISATION, PROJECT, USER = LimitOwner.ORGANISATION, LimitOwner.PROJECT, LimitOwner.USER
DEMAND = JobDemand(walltime_seconds=3600, array_tasks=100, gpus={"h100": 2})


def limit(owner_kind: LimitOwner, kind: LimitKind, value: int, gpu_type: str = "") -> Limit:
    return Limit(owner_kind, f"some-{owner_kind}", kind, value, gpu_type)


def test_without_limits_everything_may_be_submitted() -> None:
    check(DEMAND, [], {})


@pytest.mark.parametrize(
    ("kind", "gpu_type", "exact"),
    [
        (LimitKind.ARRAY_TASKS, "", 100),
        (LimitKind.WALLTIME_SECONDS, "", 3600),
        (LimitKind.GPUS_PER_JOB, "", 2),
        (LimitKind.GPUS_PER_JOB, "h100", 2),
        (LimitKind.GPUS_RUNNING, "h100", 2),
        (LimitKind.JOBS_QUEUED, "", 1),
        (LimitKind.JOBS_RUNNING, "", 1),
    ],
)
def test_a_limit_allows_its_value_and_not_one_more(kind: LimitKind, gpu_type: str, exact: int) -> None:
    check(DEMAND, [limit(PROJECT, kind, exact, gpu_type)], {})
    with pytest.raises(LimitExceeded) as refused:
        check(DEMAND, [limit(PROJECT, kind, exact - 1, gpu_type)], {})
    assert (refused.value.value, refused.value.asked) == (exact - 1, exact)


def test_a_limit_on_another_gpu_type_does_not_matter() -> None:
    check(DEMAND, [limit(PROJECT, LimitKind.GPUS_PER_JOB, 0, "a100")], {})


def test_a_request_for_any_gpu_counts_against_every_type() -> None:
    with pytest.raises(LimitExceeded, match="h100 GPUs"):
        check(
            JobDemand(walltime_seconds=60, gpus={"": 1}), [limit(USER, LimitKind.GPUS_PER_JOB, 0, "h100")], {}
        )


def test_the_message_says_which_limit_whose_and_who_can_raise_it() -> None:
    with pytest.raises(LimitExceeded) as refused:
        check(DEMAND, [limit(PROJECT, LimitKind.JOBS_QUEUED, 5)], {PROJECT: InUse(jobs_queued=5)})
    assert str(refused.value) == (
        "The limit of project some-project is 5 jobs that have not ended and 5 are in use; "
        "this job asks for 1. Ask for less, or ask the manager of your organisation to raise it."
    )


def test_queued_jobs_are_counted_at_every_level_that_limits_them() -> None:
    limits = [limit(USER, LimitKind.JOBS_QUEUED, 10), limit(ORGANISATION, LimitKind.JOBS_QUEUED, 20)]
    check(DEMAND, limits, {USER: InUse(jobs_queued=9), ORGANISATION: InUse(jobs_queued=19)})
    with pytest.raises(LimitExceeded) as refused:
        check(DEMAND, limits, {USER: InUse(jobs_queued=0), ORGANISATION: InUse(jobs_queued=20)})
    assert refused.value.owner_kind == ORGANISATION


def test_the_smallest_of_all_levels_holds_for_a_single_job() -> None:
    limits = [
        limit(ORGANISATION, LimitKind.WALLTIME_SECONDS, 3600),
        limit(PROJECT, LimitKind.WALLTIME_SECONDS, 7200),
    ]
    check(DEMAND, limits, {})
    with pytest.raises(LimitExceeded) as refused:
        check(DEMAND, [*limits, limit(USER, LimitKind.WALLTIME_SECONDS, 1800)], {})
    assert refused.value.owner_kind == USER
    with pytest.raises(LimitExceeded) as refused:
        check(DEMAND, [limit(ORGANISATION, LimitKind.WALLTIME_SECONDS, 60), limits[1]], {})
    assert refused.value.owner_kind == ORGANISATION


def test_of_each_kind_and_gpu_type_the_smallest_is_shown_and_the_higher_level_of_equals() -> None:
    in_person = limit(LimitOwner.MEMBER, LimitKind.GPUS_RUNNING, 4, "h100")
    in_project = limit(PROJECT, LimitKind.GPUS_RUNNING, 4, "h100")
    any_type = limit(ORGANISATION, LimitKind.GPUS_RUNNING, 8)
    assert smallest([in_person, in_project, any_type]) == [any_type, in_project]


def test_a_default_is_raised_by_the_administrators() -> None:
    default = Limit(PROJECT, "chips", LimitKind.JOBS_QUEUED, 0, is_default=True)
    with pytest.raises(LimitExceeded, match="ask the administrators of the city's cluster"):
        check(DEMAND, [default], {})


def test_a_limit_on_single_jobs_is_inherited_from_the_organisation() -> None:
    with pytest.raises(LimitExceeded, match="organisation some-organisation is 60 seconds of walltime"):
        check(DEMAND, [limit(ORGANISATION, LimitKind.WALLTIME_SECONDS, 60)], {})


def test_what_runs_now_does_not_stop_a_submission() -> None:
    busy = InUse(jobs_running=5, gpus_running={"h100": 8})
    limits = [limit(PROJECT, LimitKind.JOBS_RUNNING, 5), limit(PROJECT, LimitKind.GPUS_RUNNING, 8, "h100")]
    check(DEMAND, limits, {PROJECT: busy})


def test_what_runs_now_stops_a_start() -> None:
    with pytest.raises(LimitExceeded, match="running jobs"):
        check_start(DEMAND, [limit(PROJECT, LimitKind.JOBS_RUNNING, 5)], {PROJECT: InUse(jobs_running=5)})
    with pytest.raises(LimitExceeded, match="h100 GPUs in use at once and 7 are in use"):
        check_start(
            DEMAND,
            [limit(PROJECT, LimitKind.GPUS_RUNNING, 8, "h100")],
            {PROJECT: InUse(gpus_running={"h100": 7})},
        )


def test_a_start_fits_beside_what_runs() -> None:
    limits = [limit(PROJECT, LimitKind.JOBS_RUNNING, 5), limit(PROJECT, LimitKind.GPUS_RUNNING, 8)]
    check_start(DEMAND, limits, {PROJECT: InUse(jobs_running=4, gpus_running={"h100": 4, "a100": 2})})


def test_a_job_without_gpus_starts_though_all_gpus_are_in_use() -> None:
    check_start(
        JobDemand(walltime_seconds=60),
        [limit(PROJECT, LimitKind.GPUS_RUNNING, 2)],
        {PROJECT: InUse(gpus_running={"h100": 3})},
    )
