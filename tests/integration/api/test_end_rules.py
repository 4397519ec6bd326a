"""Administrators decide over HTTP who pays for which end of a run; nonsense is refused, nothing changed."""

from dataclasses import replace

from sqlmodel import col, update

from hpc_portal.app.db import transact
from hpc_portal.app.tables import GlobalRole, User
from tests.integration.api.conftest import Portal

RULES = "/api/v1/end-rules"
WHY = "the power failed twice this week"


def test_an_administrator_decides_and_everybody_else_is_refused(portal: Portal) -> None:
    lead = portal.city.chips.lead
    with portal.client(lead) as client:
        assert client.get(RULES).status_code == 403
        assert client.put(f"{RULES}/TIMEOUT", json={"is_charged": False, "reason": WHY}).status_code == 403
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(
            update(User).where(col(User.id) == lead.user_id).values(global_role=GlobalRole.ADMINISTRATOR)
        ),
    )
    with portal.client(replace(lead, global_role=GlobalRole.ADMINISTRATOR)) as client:
        before = client.get(RULES).json()
        for state, body in (
            ("TIMEOUT", {"is_charged": True, "reason": " "}),
            ("TIMEOUT", {"is_charged": True, "free_seconds_per_job": -1, "reason": WHY}),
            ("NODE_FAIL", {"is_charged": False, "free_seconds_per_job": 60, "reason": WHY}),
            ("RUNNING", {"is_charged": False, "reason": WHY}),
            ("SOON", {"is_charged": False, "reason": WHY}),
        ):
            assert client.put(f"{RULES}/{state}", json=body).status_code == 422, (state, body)
        assert client.get(RULES).json() == before
        wanted = {"is_charged": True, "free_seconds_per_job": 7200}
        decided = client.put(f"{RULES}/NODE_FAIL", json={**wanted, "reason": WHY})
        assert decided.status_code == 200, decided.text
        [rule] = [rule for rule in client.get(RULES).json()["items"] if rule["state"] == "NODE_FAIL"]
        assert rule == {"state": "NODE_FAIL", "is_default": False, **wanted}
        page = client.get("/admin/prices/end-rules", headers={"accept": "text/html", "cookie": "locale=vi"})
        assert "trả lại ngay tối đa 2\N{NO-BREAK SPACE}giờ" in page.text
        log = client.get("/admin/audit", headers={"accept": "text/html", "cookie": "locale=vi"})
        assert "Đổi quy tắc kết thúc tính phí" in log.text
