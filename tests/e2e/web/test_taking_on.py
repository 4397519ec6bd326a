"""The city takes on a tenant with a browser alone: an organisation, a lead, a project, a budget, a job."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from schedulers.units import CITY_TIME
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-taking-on")

ADMINISTRATOR = "thanhpho"
LAST_DAY = str(datetime.now(CITY_TIME).date() + timedelta(days=120))
VIETNAMESE = {
    "key": "dut",
    "organisation": "Đơn vị mới",
    "organisation_name": "Đại học Bách khoa",
    "taken": "Tên sao-bien đã có người dùng. Hãy chọn tên khác.",
    "person": "Người dùng mới",
    "manager": "Quản lý",
    "can_sign_in": "ha.dut đã có thể đăng nhập.",
    "project": "Dự án mới",
    "bad_account": "Dùng 2 đến 40 chữ thường, chữ số và gạch nối; bắt đầu bằng chữ.",
    "exists": "Đã tạo dự án dut-npu.",
    "grant": "Cấp ngân sách",
    "no_number": "“abc” không phải là số. Hãy viết 1500 hoặc 1.500,5.",
    "unchanged": "Chưa có gì thay đổi.",
    "in_force": "Đang áp dụng",
    "sign_in": "Đăng nhập",
    "balance": "5.000.000 ₫",
    "submit": "Gửi tác vụ",
}
ENGLISH = {
    "key": "vku",
    "organisation": "New organisation",
    "organisation_name": "VKU",
    "taken": "sao-bien is taken. Choose another name.",
    "person": "New person",
    "manager": "Manager",
    "can_sign_in": "ha.vku can sign in now.",
    "project": "New project",
    "bad_account": "Use 2 to 40 lower-case letters, digits and hyphens; begin with a letter.",
    "exists": "Project vku-npu exists now.",
    "grant": "Grant a budget",
    "no_number": "“abc” is no number. Write it as 1500 or 1.500,5.",
    "unchanged": "Nothing was changed.",
    "in_force": "In force",
    "sign_in": "Sign in",
    "balance": "5,000,000 ₫",
    "submit": "Submit",
}


@pytest.mark.parametrize(("locale", "words"), [("vi", VIETNAMESE), ("en", ENGLISH)])
def test_a_new_tenant_is_taken_on_and_its_lead_submits_the_first_job(
    open_page: OpenPage, *, locale: str, words: Mapping[str, str]
) -> None:
    key = words["key"]
    admin = open_page(user=ADMINISTRATOR, locale=locale, expected=(422,))
    take_on_organisation(admin, words)
    password = take_on_person(admin, words)
    open_project(admin, words)
    grant_budget(admin, words)
    admin.goto(f"/organisations/{key}/members")
    expect(admin.locator("tr", has_text=f"ha.{key}").locator("select")).to_have_value("manager")

    lead = open_page(user=None, locale=locale)
    lead.goto("/sign-in")
    lead.locator("#username").fill(f"ha.{key}")
    lead.locator("#password").fill(password)
    lead.get_by_role("button", name=words["sign_in"], exact=True).click()
    lead.goto("/quota")
    expect(lead.get_by_role("main")).to_contain_text(words["balance"])
    lead.goto("/submit/script")
    lead.locator("input[name='name']").fill("first-light")
    lead.get_by_role("button", name=words["submit"], exact=True).click()
    expect(lead).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    expect(lead.get_by_role("heading", level=1)).to_contain_text("first-light")


def take_on_organisation(page: Page, words: Mapping[str, str]) -> None:
    page.goto("/admin")
    page.get_by_role("main").get_by_role("link", name=words["organisation"]).click()
    page.locator("#f-name").fill(words["organisation_name"])
    page.locator("#f-slug").fill("sao-bien")
    save(page)
    refused(page, "slug", words["taken"], words)
    expect(page.locator("#f-name")).to_have_value(words["organisation_name"])
    page.locator("#f-slug").fill(words["key"])
    save(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(words["organisation_name"])


def take_on_person(page: Page, words: Mapping[str, str]) -> str:
    """Their password, as the page shows it once."""
    page.get_by_role("link", name=words["person"]).click()
    page.locator("#f-display_name").fill("Trần Thu Hà")
    page.locator("#f-username").fill("linh")
    page.locator("#f-role").select_option(label=words["manager"])
    save(page)
    refused(page, "username", "linh", words)
    page.locator("#f-username").fill(f"ha.{words['key']}")
    expect(page.locator("#f-organisation")).to_have_value(words["key"])
    save(page)
    expect(page.locator(".alert-good")).to_contain_text(words["can_sign_in"])
    return page.locator("[data-password]").inner_text()


def open_project(page: Page, words: Mapping[str, str]) -> None:
    key = words["key"]
    page.get_by_role("main").get_by_role("link", name=words["project"]).click()
    expect(page.locator("#f-lead")).to_have_value(f"ha.{key}")
    page.locator("#f-organisation").select_option(key)
    page.locator("#f-name").fill("NPU")
    page.locator("#f-account").fill("NPU của Hà")
    save(page)
    refused(page, "account", words["bad_account"], words)
    expect(page.locator("#f-account")).to_have_value("NPU của Hà")
    page.locator("#f-account").fill(f"{key}-npu")
    save(page)
    expect(page.locator(".alert-good")).to_contain_text(words["exists"])


def grant_budget(page: Page, words: Mapping[str, str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words["grant"])
    expect(page.locator("#f-project")).to_have_value(f"{words['key']}-npu")
    page.locator("#f-valid_to").fill(LAST_DAY)
    page.locator("#f-reason").fill("Tape-out")
    page.locator("[name='amount.VND']").fill("abc")
    page.locator("[name='amount.gres/gpu']").fill("12")
    save(page)
    refused(page, "lines.VND", words["no_number"], words)
    expect(page.locator("[name='amount.gres/gpu']")).to_have_value("12")
    expect(page.locator("#f-reason")).to_have_value("Tape-out")
    page.locator("[name='amount.VND']").fill("5.000.000")
    save(page)
    expect(page).to_have_url(re.compile("/allocations/[0-9a-f-]{36}$"))
    expect(page.get_by_role("main")).to_contain_text(words["in_force"])
    expect(page.get_by_role("main")).to_contain_text(words["balance"])


def save(page: Page) -> None:
    page.locator("main form button.btn-primary").last.click()


def refused(page: Page, field: str, said: str, words: Mapping[str, str]) -> None:
    """On top, with a link to the field; and at the field, which screen readers are told of."""
    expect(page.get_by_role("alert")).to_contain_text(words["unchanged"])
    expect(page.get_by_role("alert").locator(f"a[href='#f-{field}']")).to_contain_text(said)
    control = page.locator(f"[id='f-{field}']")
    expect(control).to_have_attribute("aria-invalid", "true")
    expect(control).to_have_accessible_description(re.compile(re.escape(said)))
    assert barriers(page) == []


def test_all_of_it_goes_without_javascript(open_page: OpenPage) -> None:
    admin = open_page(user=ADMINISTRATOR, locale="en", javascript=False)
    admin.goto("/admin/people/new?organisation=bach-khoa")
    admin.locator("#f-display_name").fill("Võ Nam")
    admin.locator("#f-username").fill("nam")
    save(admin)
    first = admin.locator("[data-password]").inner_text()
    admin.goto("/admin/people?text=nam")
    admin.get_by_role("link", name="Võ Nam").click()
    save(admin)
    expect(admin.locator(".alert-good")).to_contain_text("nam has another password now")
    assert admin.locator("[data-password]").inner_text() != first
    admin.goto("/admin/projects")
    admin.get_by_role("link", name="New project").click()
    admin.locator("#f-organisation").select_option("bach-khoa")
    admin.locator("#f-name").fill("Compilers")
    admin.locator("#f-account").fill("compilers")
    save(admin)
    admin.locator("#f-valid_to").fill(LAST_DAY)
    admin.locator("#f-reason").fill("A first year")
    admin.locator("[name='amount.cpu']").fill("1000")
    save(admin)
    expect(admin.get_by_role("heading", level=1)).to_have_text("Allocation of compilers")


@pytest.mark.parametrize(("locale", "theme", "width"), [("vi", "light", 390), ("en", "dark", 1280)])
def test_the_forms_fit_also_with_what_is_wrong(
    open_page: OpenPage, *, locale: str, theme: str, width: int
) -> None:
    page = open_page(user=ADMINISTRATOR, locale=locale, theme=theme, width=width, expected=(422,))
    wide = {}
    for address in (
        "/admin/organisations/new",
        "/admin/projects/new",
        "/admin/people/new",
        "/allocations/new",
    ):
        page.goto(address)
        save(page)
        expect(page.get_by_role("alert")).to_be_visible()
        assert barriers(page) == []
        wide[address] = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert {address: by for address, by in wide.items() if by > 0} == {}
