"""Refunds and allocations in the browser: a member asks, an administrator decides and changes grants."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.wiring import build_services
from quotas.money import VND
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-budgets")

SUSPENDED_FOR = "The audit of May."


def open_cost(page: Page, city: City, job: str) -> None:
    page.goto(f"/jobs/{city.jobs[job]}/cost")
    expect(page.locator("[data-part='cost']")).to_be_visible()


def test_a_member_asks_for_a_refund_and_an_administrator_gives_a_part_back(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    member = open_page(user="linh", locale="vi")
    open_cost(member, city, "sta-ss-125c")
    member.locator("#refund-percent").fill("60")
    member.locator("#refund-why").fill("Máy chủ giấy phép ngừng.")
    member.get_by_role("button", name="Đề nghị hoàn phí").click()
    case = member.locator("[data-part='refund-cases']")
    expect(case).to_contain_text("Chờ xử lý")
    member.screenshot(path=tmp_path / "asked.png", full_page=True)

    admin = open_page(user="thanhpho", locale="en")
    admin.goto("/refunds")
    waiting = admin.locator("[data-case]").filter(has_text="sta-ss-125c")
    waiting.locator("input[name='percent']").fill("30")
    waiting.locator("input[name='reason']").fill("Half of it was its own queue.")
    admin.screenshot(path=tmp_path / "work-list.png", full_page=True)
    waiting.get_by_role("button", name="Refund").click()
    expect(admin.locator("table")).to_contain_text("Partly approved")
    open_cost(member, city, "sta-ss-125c")
    expect(member.locator("[data-part='refunds']")).to_contain_text("Đã hoàn")
    expect(case).to_contain_text("Half of it was its own queue.")
    member.screenshot(path=tmp_path / "decided.png", full_page=True)


def test_a_node_failure_is_shown_as_never_charged(open_page: OpenPage, city: City) -> None:
    page = open_page(user="linh", locale="en")
    open_cost(page, city, "drc-macro")
    expect(page.locator("[data-part='refunds']")).to_contain_text("Never charged")
    expect(page.locator("#refund-why")).to_have_count(0)


def test_an_administrator_grants_more_extends_and_suspends(open_page: OpenPage, tmp_path: Path) -> None:
    admin = open_page(user="thanhpho", locale="en", expected=(422,))
    admin.goto("/allocations?project=npu-verif")
    admin.locator("a.job-name").first.click()
    expect(admin.locator("h1")).to_contain_text("Allocation of npu-verif")
    admin.locator("[name='lines.VND']").fill("1.000.000")
    admin.locator("#amount-why").fill("The tape-out was moved.")
    admin.get_by_role("button", name="Grant more").click()
    expect(admin.locator("[role='alert']")).to_have_count(0)
    admin.locator("#last-day").fill("2031-12-31")
    admin.locator("#extend-why").fill("The tape-out was moved.")
    admin.get_by_role("button", name="Extend").click()
    expect(admin.locator("table").last).to_contain_text("Extended")
    admin.locator("#state-why").fill(SUSPENDED_FOR)
    admin.get_by_role("button", name="Suspend").click()
    expect(admin.locator("main .head")).to_contain_text("Suspended")
    admin.screenshot(path=tmp_path / "allocation.png", full_page=True)
    admin.locator("[name='lines.VND']").fill("many")
    admin.locator("#amount-why").fill(SUSPENDED_FOR)
    admin.get_by_role("button", name="Take back").click()
    expect(admin.get_by_role("alert")).to_contain_text("Nothing was changed.")
    admin.locator("#state-why").fill("The audit is over.")
    admin.get_by_role("button", name="Resume").click()
    expect(admin.locator("main .head")).to_contain_text("In force")


def test_a_grant_that_begins_later_is_not_said_to_be_in_force(open_page: OpenPage, city: City) -> None:
    services = build_services(city.settings)
    begins = services.clock.now() + timedelta(days=30)
    later = BudgetGrant(
        lines={VND: 7_000_000}, valid_from=begins, valid_to=begins + timedelta(days=30), reason="next term"
    )
    grant_budget(services, OPERATOR, "npu-verif", later, key="next-term")
    services.commits.close()
    services.engine.dispose()
    page = open_page(user="linh", locale="en")
    page.goto("/allocations?project=npu-verif")
    expect(page.locator("tr").filter(has_text="7,000,000")).to_contain_text("Not yet in force")


@pytest.mark.parametrize(("locale", "theme", "width"), [("vi", "light", 390), ("en", "dark", 1280)])
@pytest.mark.parametrize("path", ["/allocations", "/refunds"])
def test_pages_of_budgets_fit(  # noqa: PLR0913 - fixtures and parameters
    open_page: OpenPage, tmp_path: Path, *, path: str, locale: str, theme: str, width: int
) -> None:
    page = open_page(user="thanhpho", locale=locale, theme=theme, width=width)
    page.goto(path)
    expect(page.locator("main h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
