"""The city takes on a tenant with a browser alone: an organisation, a lead, a project, a budget, a job."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from schedulers.units import CITY_TIME
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.readers import AT_DESK, BOTH, ON_PHONE, Reader

pytestmark = pytest.mark.xdist_group("browser-taking-on")

ADMINISTRATOR = "thanhpho"
LAST_DAY = str(datetime.now(CITY_TIME).date() + timedelta(days=120))
TENANTS = {AT_DESK: ("vku", "VKU"), ON_PHONE: ("dut", "Đại học Bách khoa")}
"""Whom each of them takes on."""
BAD_ACCOUNT = "Use 2 to 40 lower-case letters, digits and hyphens; begin with a letter."
NO_NUMBER = "“%(text)s” is no number. Write it as 1500 or 1.500,5."


@BOTH
def test_a_new_tenant_is_taken_on_and_its_lead_submits_the_first_job(
    open_page: OpenPage, reader: Reader
) -> None:
    key, _ = TENANTS[reader]
    admin = reader.opens(open_page, ADMINISTRATOR, expected=(422,))
    take_on_organisation(admin, reader)
    password = take_on_person(admin, reader)
    open_project(admin, reader)
    grant_budget(admin, reader)
    admin.goto(f"/organisations/{key}/members")
    expect(admin.locator("tr", has_text=f"ha.{key}").locator("select")).to_have_value("manager")

    lead = reader.opens(open_page, None)
    lead.goto("/sign-in")
    lead.locator("#username").fill(f"ha.{key}")
    lead.locator("#password").fill(password)
    lead.get_by_role("button", name=reader.says("Sign in"), exact=True).click()
    lead.goto("/quota")
    expect(lead.get_by_role("main")).to_contain_text(reader.vnd(5_000_000))
    lead.goto("/submit/script")
    lead.locator("input[name='name']").fill("first-light")
    lead.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    expect(lead).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    expect(lead.get_by_role("heading", level=1)).to_contain_text("first-light")


def take_on_organisation(page: Page, reader: Reader) -> None:
    key, name = TENANTS[reader]
    page.goto("/admin")
    page.get_by_role("main").get_by_role("link", name=reader.says("New organisation")).click()
    page.locator("#f-name").fill(name)
    page.locator("#f-slug").fill("sao-bien")
    save(page)
    taken = reader.says("%(name)s is taken. Choose another name.", name="sao-bien")
    refused(page, "slug", taken, reader)
    expect(page.locator("#f-name")).to_have_value(name)
    page.locator("#f-slug").fill(key)
    save(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def take_on_person(page: Page, reader: Reader) -> str:
    """Their password, as the page shows it once."""
    key, _ = TENANTS[reader]
    page.get_by_role("link", name=reader.says("New person")).click()
    page.locator("#f-display_name").fill("Trần Thu Hà")
    page.locator("#f-username").fill("linh")
    page.locator("#f-role").select_option(label=reader.says("Manager"))
    save(page)
    refused(page, "username", "linh", reader)
    page.locator("#f-username").fill(f"ha.{key}")
    expect(page.locator("#f-organisation")).to_have_value(key)
    save(page)
    can_sign_in = reader.says("%(name)s can sign in now.", name=f"ha.{key}")
    expect(page.locator(".alert-good")).to_contain_text(can_sign_in)
    return page.locator("[data-password]").inner_text()


def open_project(page: Page, reader: Reader) -> None:
    key, _ = TENANTS[reader]
    page.get_by_role("main").get_by_role("link", name=reader.says("New project")).click()
    expect(page.locator("#f-lead")).to_have_value(f"ha.{key}")
    page.locator("#f-organisation").select_option(key)
    page.locator("#f-name").fill("NPU")
    page.locator("#f-account").fill("NPU của Hà")
    save(page)
    refused(page, "account", reader.says(BAD_ACCOUNT), reader)
    expect(page.locator("#f-account")).to_have_value("NPU của Hà")
    page.locator("#f-account").fill(f"{key}-npu")
    save(page)
    exists = reader.says("Project %(account)s exists now. Give it its first budget.", account=f"{key}-npu")
    expect(page.locator(".alert-good")).to_contain_text(exists)


def grant_budget(page: Page, reader: Reader) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(reader.says("Grant a budget"))
    expect(page.locator("#f-project")).to_have_value(f"{TENANTS[reader][0]}-npu")
    page.locator("#f-valid_to").fill(LAST_DAY)
    page.locator("#f-reason").fill("Tape-out")
    page.locator("[name='amount.VND']").fill("abc")
    page.locator("[name='amount.gres/gpu']").fill("12")
    save(page)
    refused(page, "lines.VND", reader.says(NO_NUMBER, text="abc"), reader)
    expect(page.locator("[name='amount.gres/gpu']")).to_have_value("12")
    expect(page.locator("#f-reason")).to_have_value("Tape-out")
    page.locator("[name='amount.VND']").fill("5.000.000")
    save(page)
    expect(page).to_have_url(re.compile("/allocations/[0-9a-f-]{36}$"))
    expect(page.get_by_role("main")).to_contain_text(reader.says("In force"))
    expect(page.get_by_role("main")).to_contain_text(reader.vnd(5_000_000))


def save(page: Page) -> None:
    page.locator("main form button.btn-primary").last.click()


def refused(page: Page, field: str, said: str, reader: Reader) -> None:
    """On top, with a link to the field; and at the field, which screen readers are told of."""
    expect(page.get_by_role("alert")).to_contain_text(reader.says("Nothing was changed."))
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


def test_the_password_that_is_shown_lets_in_also_after_f5(open_page: OpenPage) -> None:
    admin = open_page(user=ADMINISTRATOR, locale="en", width=390)
    admin.goto("/admin/people/new?organisation=bach-khoa")
    admin.locator("#f-display_name").fill("Đỗ Khoa")
    admin.locator("#f-username").fill("khoa")
    sent: list[str] = []
    admin.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    admin.get_by_role("button", name="Create the account").click()
    expect(admin.locator(".alert-good")).to_contain_text("khoa can sign in now.")
    admin.reload()
    expect(admin.locator(".alert-good")).to_contain_text("khoa can sign in now.")
    assert len(sent) == 2
    password = admin.locator("[data-password]").inner_text()
    expect(admin.get_by_label("Role in Đại học Bách khoa")).to_have_value("member")
    assert barriers(admin) == []
    assert admin.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    khoa = open_page(user=None, locale="en")
    khoa.goto("/sign-in")
    khoa.locator("#username").fill("khoa")
    khoa.locator("#password").fill(password)
    khoa.get_by_role("button", name="Sign in", exact=True).click()
    expect(khoa.get_by_role("heading", level=1)).to_be_visible()
    expect(khoa).not_to_have_url(re.compile("/sign-in"))
