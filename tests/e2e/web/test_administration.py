"""An administrator announces something that people put aside; a project tells what its runs cost."""

import pytest
from playwright.sync_api import expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-administration")


def test_an_announcement_is_read_put_aside_and_withdrawn(open_page: OpenPage) -> None:
    admin = open_page(user="thanhpho", locale="vi", expected=(422,))
    admin.goto("/admin")
    admin.get_by_role("main").get_by_role("link", name="Thông báo chung").click()
    admin.locator("#a-vi").fill("Bảo trì tối thứ Bảy.")
    admin.locator("#a-en").fill("Maintenance on Saturday night.")
    admin.locator("#a-to").fill("2090-01-01T06:00")
    admin.get_by_role("button", name="Đăng thông báo").click()
    expect(admin.get_by_role("alert")).to_contain_text("tối đa một năm")
    expect(admin.locator("#a-en")).to_have_value("Maintenance on Saturday night.")
    admin.locator("#a-to").fill(admin.evaluate("new Date(Date.now() + 9e8).toISOString().slice(0, 16)"))
    admin.get_by_role("button", name="Đăng thông báo").click()
    expect(admin.get_by_role("cell", name="Bảo trì tối thứ Bảy.")).to_be_visible()

    reader = open_page(user="linh", locale="en")
    reader.goto("/quota")
    banner = reader.locator(".alert-run", has_text="Maintenance on Saturday night.")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="Do not show this again").click()
    expect(reader.get_by_role("heading", name="Quota", level=1)).to_be_visible()
    expect(banner).to_have_count(0)
    reader.goto("/")
    expect(reader.get_by_text("Maintenance on Saturday night.")).to_be_visible()

    admin.get_by_role("button", name="Gỡ").click()
    expect(admin.get_by_role("button", name="Gỡ")).to_have_count(0)
    reader.goto("/")
    expect(reader.get_by_text("Maintenance on Saturday night.")).to_have_count(0)


def test_a_charge_leads_to_its_job_and_shows_its_formula(open_page: OpenPage) -> None:
    page = open_page(user="linh", locale="en")
    page.goto("/projects/npu-verif")
    page.get_by_role("link", name="Charges").click()
    row = page.locator("tr", has=page.get_by_role("link", name="digits-training"))
    expect(row.locator(".formula")).to_contain_text("1,000 ₫ = 500 ₫")
    row.get_by_role("link", name="digits-training").click()
    expect(page.get_by_role("heading", name="digits-training")).to_be_visible()
