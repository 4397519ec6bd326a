"""Prices, subsidies and limits in a browser: the administrator publishes, the lead limits, everybody sees."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-prices")

PHONE = 390


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_a_draft_is_edited_compared_and_published_and_everybody_sees_it(open_page: OpenPage) -> None:
    admin = open_page(user="thanhpho", expected=(422,))
    admin.goto("/admin/prices")
    admin.get_by_label("Tên bản nháp mới").fill("Quý I năm 2027")
    admin.get_by_role("button", name="Sao chép giá đang áp dụng").click()
    expect(admin.get_by_text("Không có gì: giống hệt giá đang áp dụng.")).to_be_visible()
    first = admin.locator("[name=rate]").first
    assert admin.locator("[name=tres]").first.input_value() == "cpu"
    first.fill("12.5")
    admin.get_by_role("button", name="Lưu bản nháp").click()
    expect(admin.get_by_role("alert")).to_contain_text("nhập một số nguyên")
    first.fill("1.234")
    admin.get_by_role("button", name="Lưu bản nháp").click()
    expect(admin.get_by_role("cell", name="1.234 ₫")).to_be_visible()
    admin.get_by_role("button", name=re.compile("Công bố thành bản 2")).click()
    expect(admin.get_by_role("heading", name="Giá và trợ giá")).to_be_visible()

    reader = open_page(user="linh", width=PHONE)
    reader.goto("/prices")
    expect(reader.get_by_role("heading", name="Bản 2")).to_be_visible()
    expect(reader.get_by_role("cell", name="1.234 ₫").first).to_be_visible()
    assert overflow(reader) == 0


def test_a_subsidy_is_made_and_told_before_the_click_and_ended(open_page: OpenPage) -> None:
    admin = open_page(user="thanhpho")
    admin.goto("/admin/prices")
    if admin.get_by_label("Thành phố trả, phần trăm").is_hidden():
        admin.get_by_text("Khoản trợ giá mới").click()
    admin.get_by_label("Loại đơn vị").select_option("startup")
    admin.get_by_label("Thành phố trả, phần trăm").fill("12,5")
    admin.locator("#s-reason").fill("Ươm tạo")
    admin.get_by_role("button", name="Thêm trợ giá").click()
    expect(admin.get_by_role("cell", name="12,5 %")).to_be_visible()

    reader = open_page(user="linh")
    reader.goto("/prices")
    expect(reader.get_by_role("cell", name="12,5 %")).to_be_visible()
    reader.goto("/submit/script")
    expect(reader.get_by_text("Bạn trả tối đa").or_(reader.get_by_text("Giá tối đa")).first).to_be_visible()

    row = admin.get_by_role("row").filter(has_text="Ươm tạo")
    row.get_by_label("Lý do").fill("hết kinh phí")
    row.get_by_role("button", name="Chấm dứt ngay").click()
    expect(admin.get_by_role("row").filter(has_text="Ươm tạo")).to_contain_text("Đã qua")


def test_a_lead_limits_people_of_the_project_and_never_beyond_what_holds_above(open_page: OpenPage) -> None:
    admin = open_page(user="thanhpho")
    admin.goto("/limits")
    admin.locator("#n-level").select_option("project")
    admin.locator("#n-project").fill("npu-verif")
    admin.locator("#n-value").fill("6")
    admin.get_by_role("button", name="Đặt giới hạn").click()
    expect(admin.get_by_role("cell", name="npu-verif (dự án)", exact=True)).to_be_visible()

    lead = open_page(user="linh", expected=(422,))
    lead.goto("/limits")
    expect(lead.get_by_role("row").filter(has_text="npu-verif (dự án)").first).to_contain_text("6")
    lead.locator("#n-level").select_option("member")
    lead.locator("#n-project").fill("npu-verif")
    lead.locator("#n-user").fill("linh")
    lead.locator("#n-value").fill("7")
    lead.get_by_role("button", name="Đặt giới hạn").click()
    expect(lead.get_by_role("alert")).to_contain_text("Dự án được tối đa 6")
    lead.locator("#n-value").fill("2")
    lead.get_by_role("button", name="Đặt giới hạn").click()
    expect(lead.get_by_role("row").filter(has_text="linh (thành viên trong dự án)").first).to_contain_text(
        "2"
    )
    phone = open_page(user="linh", width=PHONE)
    phone.goto("/limits")
    assert overflow(phone) == 0
