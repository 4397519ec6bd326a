"""What a cluster is told of tenants: who is stopped there submits nothing with sbatch either."""

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.mirror.wanted import organisation_account, read_wanted
from hpc_portal.app.tenants.change_state import (
    StateChange,
    change_organisation_state,
    change_project_state,
)
from hpc_portal.app.tenants.end_class import end_class
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.app.tenants.seats import Share
from quotas.tables import TenantState
from schedulers.mirror import Account
from tests.integration.app.conftest import Story

KNOWN = frozenset({"cpu", "mem", "gres/gpu:h100"})


def accounts(story: Story) -> dict[str, Account]:
    with story.city.services.engine.connect() as connection:
        return dict(read_wanted(connection, "memory", known=KNOWN, at=story.clock.now()).accounts)


def test_direct_submissions_of_a_stopped_tenant_are_refused_by_the_cluster(story: Story) -> None:
    services = story.city.services
    chips, rivals = organisation_account("chips-org"), organisation_account("rivals-org")
    assert {accounts(story)[name].limits.grp_submit_jobs for name in (chips, rivals, "chips")} == {None}
    change_organisation_state(
        services, OPERATOR, "chips-org", StateChange(TenantState.SUSPENDED, "an invoice")
    )
    change_project_state(services, OPERATOR, "rivals", StateChange(TenantState.CLOSED, "over"))
    found = accounts(story)
    assert (found[chips].limits.grp_submit_jobs, found[rivals].limits.grp_submit_jobs) == (0, None)
    assert found["rivals"].limits.grp_submit_jobs == 0
    assert found["chips"].parent == chips, "whose limit counts for all below it"


def test_a_students_part_is_an_account_of_its_own_until_the_class_ends(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    made = make_class(
        services, lead, NewClass("chips", "VLSI", [Share("chips-member")], {"VND": 1000}), key="k"
    )
    account = made.seats[0].account
    part = accounts(story)[account]
    assert part.parent == organisation_account("chips-org")
    assert part.budgets
    assert part.limits.grp_submit_jobs is None
    end_class(services, lead, made.id)
    assert accounts(story)[account].limits.grp_submit_jobs == 0
