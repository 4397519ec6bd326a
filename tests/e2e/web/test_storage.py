"""Storage in the browser: how full it is, a refusal that says what to do, and a new measurement."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.wiring import build_services
from quotas.amounts import BYTES_PER_GIB
from quotas.measured_storage import Measured, record_storage
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser")
PROJECT = "npu-verif"


def test_a_full_project_says_so_and_leads_to_a_request(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    services = build_services(city.settings)
    now = services.clock.now()
    granted = BudgetGrant({"storage": 100}, now, now + timedelta(days=90), "wave files")
    grant_budget(services, OPERATOR, PROJECT, granted, key="storage")
    project = services.projects.get()[PROJECT]
    found = Measured(120 * BYTES_PER_GIB, 5312, 2)
    transact(services.engine, lambda conn: record_storage(conn, project.id, found, at=now))
    services.commits.close()
    services.engine.dispose()

    page = open_page(user="linh", locale="vi", theme="dark")
    page.goto(f"/projects/{PROJECT}")
    storage = page.locator(".storage")
    expect(storage).to_contain_text("đã dùng 120 GiB trên 100 GiB")
    expect(storage).to_contain_text("Đã hết dung lượng lưu trữ")
    page.screenshot(path=tmp_path / "full.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=tmp_path / "full-390.png", full_page=True)
    storage.get_by_role("button", name="Đo lại").click()
    expect(page.locator(".storage")).to_contain_text("Đang chờ đo lại")

    lead = open_page(user="linh", locale="en")
    lead.goto("/quota")
    expect(lead.locator(".storage").filter(has_text="120 GiB of 100 GiB")).to_have_count(1)
    lead.screenshot(path=tmp_path / "quota.png", full_page=True)
    lead.get_by_role("link", name="Ask for more").click()
    expect(lead.locator("[name='amount.storage']")).to_have_value("50")
    lead.screenshot(path=tmp_path / "request.png", full_page=True)
