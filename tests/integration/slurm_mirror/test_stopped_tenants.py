"""A real Slurm takes no job of who is suspended or closed in the portal, past the portal either."""

import pytest

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.tenants.change_state import (
    StateChange,
    change_organisation_state,
    change_project_state,
)
from quotas.tables import TenantState
from tests.integration.slurm_mirror.conftest import Live

pytestmark = pytest.mark.anyio

SUSPENDED = StateChange(TenantState.SUSPENDED, "an invoice")
RESUMED = StateChange(TenantState.ACTIVE, "")
CLOSED = StateChange(TenantState.CLOSED, "over")


async def test_who_is_stopped_in_the_portal_is_refused_by_sbatch_until_resumed(live: Live) -> None:
    services, account = live.city.services, live.account  # its organisation has the same name
    under_way = live.sbatch("--time=5", command="sleep 300")
    await live.until_running(under_way)
    for change_state in (change_project_state, change_organisation_state):
        change_state(services, OPERATOR, account, SUSPENDED)
        await live.mirror()
        assert "AssocGrpSubmitJobsLimit" in live.refusal("--time=1")
        assert "AssocGrpSubmitJobsLimit" in live.refusal("--time=1", user="bob")
        assert live.squeue(under_way).startswith("RUNNING")
        change_state(services, OPERATOR, account, RESUMED)
        await live.mirror()
        live.slurm.run("scancel", live.sbatch("--time=1"))
    change_project_state(services, OPERATOR, account, CLOSED)
    await live.mirror()
    assert "AssocGrpSubmitJobsLimit" in live.refusal("--time=1")
