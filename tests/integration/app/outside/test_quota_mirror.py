"""The cluster is given accounts, members and budgets; twice is once, and what others change is told."""

from dataclasses import replace
from datetime import timedelta
from typing import NoReturn
from uuid import uuid4

import pytest
from sqlalchemy import delete, update
from sqlmodel import Session, col

from hpc_portal.app.errors import NotAllowed
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.mirror.in_force import NOT_IN_FORCE
from hpc_portal.app.mirror.queries import MirrorReport, mirror_report
from hpc_portal.app.tables import GlobalRole, Job, ProjectMember, User
from quotas.grant import grant
from quotas.limits import EVERYBODY, LimitKind, LimitOwner
from quotas.set_limit import set_limit
from quotas.set_subsidy import make_subsidy_rule
from quotas.tables import Allocation, AllocationState, Organisation, Project, TenantState
from schedulers.jobspec import JobSpec
from schedulers.mirror import Budget, Limits, PutAccount, PutBudget, PutMember
from tests.integration.app.outside.conftest import AN, BINH, CLUSTER, Outside

LOOK = 61.0


def report(outside: Outside) -> MirrorReport:
    admin = replace(outside.city.chips.lead, global_role=GlobalRole.ADMINISTRATOR)
    with Session(outside.city.services.engine) as session:
        return mirror_report(session, admin, CLUSTER)


def direct(outside: Outside) -> Budget:
    has = outside.cluster.has
    return has.budgets[has.accounts["chips"].default_budget]


def test_organisations_projects_members_and_budgets_are_made(outside: Outside) -> None:
    outside.reflect()
    has = outside.cluster.has
    assert sorted(has.accounts) == ["chips", "org_chips-org", "org_rivals-org", "rivals"]
    assert has.accounts["chips"].parent == "org_chips-org"
    assert sorted(has.members) == [("chips", AN), ("chips", BINH)]
    member, account = has.members["chips", BINH], has.accounts["chips"]
    assert member.budgets == account.budgets is not None
    assert member.default_budget.endswith("_direct")
    assert len(account.budgets) == 2
    # 100 million đồng are 2,777.7 hours of an H100 at 36,000 đồng.
    assert direct(outside).tres_minutes["gres/gpu:h100"] == 100_000_000 * 60 // 36_000


def test_a_second_pass_changes_nothing_also_after_a_restart(outside: Outside) -> None:
    outside.reflect()
    outside.cluster.changes.clear()
    outside.reflect()
    outside.restart()
    outside.reflect()
    assert outside.cluster.changes == []
    assert report(outside).drift == ()


def test_what_the_portal_holds_is_taken_from_direct_jobs_at_once(outside: Outside) -> None:
    outside.reflect()
    before, looks = direct(outside).tres_minutes["cpu"], outside.cluster.looks
    outside.submit(cpus_per_task=10, walltime_seconds=3600)
    outside.reflect()
    # Ten CPU-hours at 360 đồng and a GiB-hour at 36 could have been 606 minutes of a CPU.
    assert before - direct(outside).tres_minutes["cpu"] == 606
    assert outside.cluster.looks == looks, "the cluster need not be read for that"


def test_the_portals_jobs_run_under_the_qos_of_the_budget_that_is_held_for_them(outside: Outside) -> None:
    outside.reflect()
    outside.submit(walltime_seconds=3600)
    (job,) = outside.jobs
    assert job.phase is Phase.TRACKED
    submission = outside.scheduler._jobs[job.scheduler_job_id].submission
    default = outside.cluster.has.accounts["chips"].default_budget
    assert submission.spec.qos == default.removesuffix("_direct")


def test_a_job_waits_until_the_cluster_knows_its_budget(outside: Outside) -> None:
    outside.submit(walltime_seconds=3600)
    (job,) = outside.jobs
    assert (job.phase, job.state_reason) == (Phase.ACCEPTED, NOT_IN_FORCE)
    assert outside.context.budgets is not None
    assert outside.context.budgets.missed.is_set(), "the mirror looks at once"
    outside.reflect()
    outside.dispatch()
    assert outside.jobs[0].phase is Phase.TRACKED


def test_a_job_that_waits_for_its_budget_is_not_looked_for_in_the_scheduler(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(_users: object) -> NoReturn:
        pytest.fail("it was never sent")

    monkeypatch.setattr(outside.scheduler, "find", find)
    outside.submit(walltime_seconds=3600)
    outside.dispatch()
    (job,) = outside.jobs
    assert (job.phase, job.state_reason) == (Phase.ACCEPTED, NOT_IN_FORCE)
    assert job.not_before > outside.clock.now()


def test_a_job_of_which_a_claim_was_left_behind_is_looked_for_before_it_waits_for_its_budget(
    outside: Outside,
) -> None:
    outside.submit(walltime_seconds=3600)
    (job,) = outside.jobs
    outside.set_job(job.id, phase=Phase.DISPATCHING, claim_token=uuid4())  # kill -9 after the claim
    outside.dispatch()
    assert (outside.jobs[0].phase, outside.jobs[0].state_reason) == (Phase.ACCEPTED, NOT_IN_FORCE)
    outside.reflect()
    outside.dispatch()
    assert outside.jobs[0].phase is Phase.TRACKED


def test_no_job_of_the_portal_takes_the_budget_of_direct_ones(outside: Outside) -> None:
    job_id = outside.submit(walltime_seconds=3600)
    outside.reflect()
    default = outside.cluster.has.accounts["chips"].default_budget
    spec = JobSpec.model_validate(outside.jobs[0].spec).model_copy(update={"qos": default})
    changed = update(Job).where(col(Job.id) == job_id).values(spec=spec.model_dump(mode="json"))
    outside.execute(changed)
    outside.dispatch()
    submission = outside.scheduler._jobs[outside.jobs[0].scheduler_job_id].submission
    assert submission.spec.qos == default.removesuffix("_direct")


def test_who_left_is_blocked_and_never_deleted_and_who_returns_is_let_in(outside: Outside) -> None:
    outside.reflect()
    member = col(ProjectMember.user_id) == outside.city.chips.member.user_id
    row = outside.rows(ProjectMember)
    outside.execute(delete(ProjectMember).where(member))
    outside.reflect()
    left = outside.cluster.has.members["chips", BINH]
    assert (left.limits.max_jobs, left.limits.max_submit_jobs) == (0, 0)
    assert left.budgets
    kept = next(one for one in row if one.user_id == outside.city.chips.member.user_id)
    outside.execute(ProjectMember.__table__.insert().values(**kept._mapping))  # type: ignore[attr-defined]
    outside.reflect()
    assert outside.cluster.has.members["chips", BINH].limits == Limits()


def test_an_account_that_is_switched_off_starts_nothing(outside: Outside) -> None:
    is_member = col(User.id) == outside.city.chips.member.user_id
    outside.execute(update(User).where(is_member).values(is_active=False))
    outside.reflect()
    assert outside.cluster.has.members["chips", BINH].limits.max_submit_jobs == 0


def test_suspended_tenants_submit_nothing(outside: Outside) -> None:
    chips, rivals = outside.city.chips, outside.city.rivals
    outside.execute(
        update(Project).where(col(Project.id) == chips.project_id).values(state=TenantState.SUSPENDED)
    )
    outside.execute(
        update(Organisation)
        .where(col(Organisation.id) == rivals.organisation_id)
        .values(state=TenantState.SUSPENDED)
    )
    outside.reflect()
    accounts = outside.cluster.has.accounts
    assert accounts["chips"].limits.grp_submit_jobs == 0
    assert accounts["org_rivals-org"].limits.grp_submit_jobs == 0
    assert accounts["rivals"].limits.grp_submit_jobs is None


def test_limits_go_to_the_level_that_they_are_set_at(outside: Outside) -> None:
    chips, now = outside.city.chips, outside.clock.now()
    for owner, owner_id, kind, value, gpu_type in (
        (LimitOwner.ORGANISATION, chips.organisation_id, LimitKind.GPUS_RUNNING, 16, ""),
        (LimitOwner.ORGANISATION, chips.organisation_id, LimitKind.WALLTIME_SECONDS, 7200, ""),
        (LimitOwner.PROJECT, chips.project_id, LimitKind.GPUS_RUNNING, 4, "h100"),
        (LimitOwner.PROJECT, chips.project_id, LimitKind.JOBS_QUEUED, 100, ""),
        (LimitOwner.USER, chips.member.user_id, LimitKind.JOBS_RUNNING, 3, ""),
        (LimitOwner.USER, chips.member.user_id, LimitKind.WALLTIME_SECONDS, 61, ""),
    ):
        with outside.city.services.engine.begin() as connection:
            set_limit(
                connection,
                owner_kind=owner,
                owner_id=owner_id,
                kind=kind,
                value=value,
                gpu_type=gpu_type,
                actor_id=None,
                at=now,
            )
    outside.reflect()
    has = outside.cluster.has
    assert has.accounts["org_chips-org"].limits == Limits(grp_tres={"gres/gpu": 16})
    assert has.accounts["chips"].limits == Limits(grp_tres={"gres/gpu:h100": 4}, grp_submit_jobs=100)
    assert has.members["chips", AN].limits == Limits(max_wall_minutes=120)
    assert has.members["chips", BINH].limits == Limits(grp_jobs=3, max_wall_minutes=2)


def test_a_subsidised_project_may_use_more_for_its_money(outside: Outside) -> None:
    outside.reflect()
    before = direct(outside).tres_minutes["gres/gpu:h100"]
    now = outside.clock.now()
    for organisation, basis_points in ((outside.city.chips.organisation_id, 5000), (None, 2500)):
        with outside.city.services.engine.begin() as connection:
            make_subsidy_rule(
                connection,
                basis_points=basis_points,
                valid_from=now,
                organisation_id=organisation,
                reason="a test",
                actor_id=None,
                at=now,
            )
    outside.reflect()
    assert direct(outside).tres_minutes["gres/gpu:h100"] - 2 * before in {0, 1}  # minutes are rounded down


def test_a_person_has_the_smallest_of_what_every_level_allows(outside: Outside) -> None:
    chips, now = outside.city.chips, outside.clock.now()
    member, nobody = chips.member.user_id, EVERYBODY
    for owner, owner_id, within, kind, value in (
        (LimitOwner.ORGANISATION, chips.organisation_id, nobody, LimitKind.WALLTIME_SECONDS, 60),
        (LimitOwner.PROJECT, chips.project_id, nobody, LimitKind.WALLTIME_SECONDS, 3600),
        (LimitOwner.PROJECT, EVERYBODY, nobody, LimitKind.JOBS_RUNNING, 50),
        (LimitOwner.USER, EVERYBODY, nobody, LimitKind.JOBS_RUNNING, 9),
        (LimitOwner.USER, member, nobody, LimitKind.JOBS_RUNNING, 7),
        (LimitOwner.MEMBER, member, chips.project_id, LimitKind.JOBS_RUNNING, 8),
        (LimitOwner.MEMBER, member, chips.project_id, LimitKind.GPUS_PER_JOB, 2),
        (LimitOwner.MEMBER, member, outside.city.rivals.project_id, LimitKind.JOBS_RUNNING, 1),
    ):
        with outside.city.services.engine.begin() as connection:
            set_limit(
                connection,
                owner_kind=owner,
                owner_id=owner_id,
                within_id=within,
                kind=kind,
                value=value,
                actor_id=None,
                at=now,
            )
    outside.reflect()
    has = outside.cluster.has
    assert has.accounts["chips"].limits == Limits(grp_jobs=50)
    assert has.members["chips", AN].limits == Limits(grp_jobs=9, max_wall_minutes=1)
    assert has.members["chips", BINH].limits == Limits(
        grp_jobs=7, max_wall_minutes=1, max_tres_per_job={"gres/gpu": 2}
    )


def test_a_new_period_gets_its_own_budgets_and_the_old_one_ends_at_what_was_used(outside: Outside) -> None:
    outside.reflect()
    old = outside.cluster.has.accounts["chips"].default_budget
    now = outside.clock.now()
    with outside.city.services.engine.begin() as connection:
        allocation = grant(
            connection,
            project_id=outside.city.chips.project_id,
            lines={"cpu": 36_000},
            valid_from=now,
            valid_to=now + timedelta(days=90),
            overdraft=None,
            actor_id=None,
            reason="next period",
            idempotency_key="next",
            at=now,
        )
    outside.execute(
        update(Allocation).where(col(Allocation.id) != allocation).values(state=AllocationState.EXPIRED)
    )
    outside.reflect()
    account = outside.cluster.has.accounts["chips"]
    assert account.default_budget != old
    assert old not in (account.budgets or ())
    assert direct(outside).tres_minutes == {"cpu": 600, "gres/gpu": 0, "gres/gpu:h100": 0, "license/vcs": 0}
    assert outside.cluster.has.budgets[old].tres_minutes["cpu"] == 0


def test_a_project_with_nothing_to_spend_submits_nothing(outside: Outside) -> None:
    outside.execute(update(Allocation).values(state=AllocationState.EXPIRED))
    outside.reflect()
    assert outside.cluster.has.accounts["chips"].limits.grp_submit_jobs == 0


def test_what_others_change_is_put_right_and_told(outside: Outside) -> None:
    outside.reflect()
    has, budget = outside.cluster.has, direct(outside)
    raised = replace(budget, tres_minutes={**budget.tres_minutes, "cpu": 10**9})
    intruder = replace(has.members["chips", BINH], user="mallory")
    outside.cluster.has = replace(
        has,
        budgets={**has.budgets, budget.name: raised},
        members={**has.members, ("chips", "mallory"): intruder},
    )
    outside.clock.advance(LOOK)
    outside.reflect()
    assert direct(outside) == budget
    assert outside.cluster.has.members["chips", "mallory"].limits.max_submit_jobs == 0
    found = {(one.subject, one.field): one for one in report(outside).drift}
    told = found[f"qos {budget.name}", "tres_minutes cpu"]
    assert (told.found, told.wanted) == (str(10**9), str(budget.tres_minutes["cpu"]))
    assert told.since == told.corrected_at == outside.clock.now()
    assert ("user mallory in chips", "max_jobs") in found


def test_the_portals_own_changes_are_no_drift(outside: Outside) -> None:
    outside.reflect()
    outside.execute(
        update(Project)
        .where(col(Project.id) == outside.city.chips.project_id)
        .values(state=TenantState.SUSPENDED)
    )
    outside.clock.advance(LOOK)
    outside.reflect()
    assert report(outside).drift == ()


def test_an_account_of_the_site_is_left_alone_and_stands_as_drift_until_it_is_given_up(
    outside: Outside,
) -> None:
    outside.foreign_account("chips")
    outside.reflect()
    assert not [
        change
        for change in outside.cluster.changes
        if (isinstance(change, PutAccount) and change.wanted.name == "chips")
        or (isinstance(change, PutMember) and change.wanted.account == "chips")
    ]
    (standing,) = report(outside).drift
    assert (standing.subject, standing.found, standing.corrected_at) == (
        "account chips",
        "somebody else's",
        None,
    )
    first = standing.since
    outside.clock.advance(LOOK)
    outside.reflect()
    assert report(outside).drift[0].since == first
    accounts = {k: v for k, v in outside.cluster.has.accounts.items() if k != "chips"}
    outside.cluster.has = replace(outside.cluster.has, accounts=accounts)
    outside.clock.advance(LOOK)
    outside.reflect()
    assert "chips" in outside.cluster.has.accounts
    assert report(outside).drift[0].corrected_at == outside.clock.now()


def test_one_refused_change_stops_none_of_the_others_and_is_told(outside: Outside) -> None:
    outside.cluster.refuses = frozenset({AN})
    outside.reflect()
    assert ("chips", BINH) in outside.cluster.has.members
    told = report(outside)
    assert "user an in chips: Unknown user" in told.problem
    assert [one.subject for one in told.drift] == ["user an in chips"]
    outside.cluster.refuses = frozenset()
    outside.reflect()
    told = report(outside)
    assert told.problem == ""
    assert told.drift[0].corrected_at


def test_a_cluster_that_is_away_is_tried_again_and_the_age_tells(outside: Outside) -> None:
    outside.reflect()
    checked = report(outside).checked_at
    outside.cluster.is_away = True
    outside.clock.advance(LOOK)
    outside.reflect()
    told = report(outside)
    assert (told.checked_at, told.problem) == (checked, "slurmdbd is away")
    outside.cluster.is_away = False
    outside.reflect()
    assert (report(outside).checked_at, report(outside).problem) == (outside.clock.now(), "")


def test_what_is_granted_and_cannot_be_limited_there_is_told(outside: Outside) -> None:
    now = outside.clock.now()
    with outside.city.services.engine.begin() as connection:
        grant(
            connection,
            project_id=outside.city.chips.project_id,
            lines={"license/spectre": 3600},
            valid_from=now,
            valid_to=now + timedelta(days=1),
            overdraft=None,
            actor_id=None,
            reason="surge",
            idempotency_key="surge",
            at=now,
        )
    outside.reflect()
    (standing,) = report(outside).drift
    assert (standing.field, standing.wanted) == ("AccountingStorageTRES", "license/spectre")
    assert all(
        "license/spectre" not in change.wanted.tres_minutes
        for change in outside.cluster.changes
        if isinstance(change, PutBudget)
    )


def test_only_administrators_and_auditors_see_the_report(outside: Outside) -> None:
    outside.reflect()
    with Session(outside.city.services.engine) as session, pytest.raises(NotAllowed):
        mirror_report(session, outside.city.chips.lead, CLUSTER)
