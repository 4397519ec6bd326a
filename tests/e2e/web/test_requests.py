"""Quota asked for, questioned, answered and granted in the browser; any console error fails the test."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.texts import TEXTS
from quotas.balance import balance
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.readers import AT_DESK, BOTH, ON_PHONE, Reader

pytestmark = pytest.mark.xdist_group("browser-requests")

HOUR = 3600
H100 = "gres/gpu:h100"


def in_days(number: int) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).date().isoformat()


def fill_request(  # noqa: PLR0913 - what the form asks for
    page: Page, reader: Reader, *, hours: str, purpose: str, kind: str = "New grant", days: int = 40
) -> None:
    page.goto("/requests/new")
    page.locator("label", has_text=reader.says(kind)).first.click()
    page.get_by_label(reader.says("Last day")).fill(in_days(days))
    page.get_by_label(reader.says("What for")).fill(purpose)
    page.get_by_label("GPU H100", exact=True).fill(hours)


def available(city: City, account: str, asset: str) -> int:
    engine = create_engine(city.settings.effective_database_url)
    with engine.connect() as connection:
        found = balance(connection, city.projects[account], datetime.now(UTC)).by_asset
    engine.dispose()
    return found[asset].available if asset in found else 0


@pytest.mark.parametrize(
    ("reader", "javascript"), [(AT_DESK, True), (ON_PHONE, False)], ids=["desk", "phone, no scripts"]
)
def test_a_lead_asks_answers_and_is_granted_a_part(
    open_page: OpenPage, city: City, tmp_path: Path, *, reader: Reader, javascript: bool
) -> None:
    before = available(city, "npu-verif", H100)
    days = 40 if javascript else 41
    lead = reader.opens(open_page, "linh", javascript=javascript)
    purpose = "Training of the placement model for the May tape-out."
    fill_request(lead, reader, hours="1500", purpose=purpose, days=days)
    if javascript:
        expect(lead.locator("#request-price .figure")).to_contain_text(reader.number(90_000_000))
    lead.get_by_role("button", name=reader.says("Save without submitting")).click()
    expect(lead).to_have_url(re.compile("/requests/[0-9a-f-]{36}$"))
    expect(lead.locator(".head .state")).to_contain_text(reader.says("Draft"))
    plan = tmp_path / "kế hoạch.pdf"
    plan.write_bytes(b"%PDF-1.7 plan")
    lead.get_by_label(reader.says("Attach files")).set_input_files(plan)
    lead.get_by_role("button", name=reader.says("Attach"), exact=True).click()
    expect(lead.get_by_role("link", name="kế hoạch.pdf")).to_be_visible()
    lead.get_by_role("button", name=reader.says("Submit the request")).click()
    expect(lead.locator(".head .state")).to_contain_text(reader.says("Submitted"))

    chief = reader.opens(open_page, "thanhpho", javascript=javascript)
    chief.goto("/notices")
    chief.get_by_role("button", name=reader.says("Open")).first.click()
    expect(chief.get_by_role("heading", name=reader.says("For your decision"))).to_be_visible()
    expect(chief.locator("body")).to_contain_text(reader.says("Still promisable"))
    chief.get_by_label(reader.says("To whoever asked")).fill("How many epochs?")
    chief.get_by_role("button", name=reader.says("Return with the question")).click()
    expect(chief.locator(".head .state")).to_contain_text(reader.says("Question to answer"))

    lead.goto("/notices")
    lead.get_by_role("button", name=reader.says("Open")).first.click()
    expect(lead.locator(".alert-box")).to_contain_text("How many epochs?")
    lead.get_by_label(reader.says("Your answer")).fill("Ninety.")
    lead.get_by_role("button", name=reader.says("Answer and submit again")).click()
    expect(lead.locator(".head .state")).to_contain_text(reader.says("Submitted"))

    chief.goto("/requests/inbox")
    chief.get_by_role("link", name="Sao Biển Semiconductor").first.click()
    expect(chief.locator("body")).to_contain_text("Ninety.")
    chief.get_by_label(reader.says("Grant: %(resource)s", resource="GPU H100")).fill("1000")
    chief.get_by_label(reader.says("To whoever asked")).fill("The rest in June.")
    chief.get_by_role("button", name=reader.says("Approve partly")).click()
    expect(chief.locator(".head .state")).to_contain_text(reader.says("Partly approved"))
    expect(chief.locator("body")).to_contain_text(f"{reader.number(1000)} h")

    assert available(city, "npu-verif", H100) == before + 1000 * HOUR
    lead.goto("/notices")
    notice = TEXTS[NoticeKind.REQUEST_PARTLY_APPROVED]
    told = (notice.vi if reader is ON_PHONE else notice.en).title % {"project": "npu-verif"}
    expect(lead.locator(".plain-list li").first).to_contain_text(told)
    lead.get_by_role("button", name=reader.says("Mark all as read")).click()
    expect(lead.locator(".bell .count")).to_be_hidden()


@BOTH
def test_a_refused_job_offers_the_request_that_it_lacks(open_page: OpenPage, reader: Reader) -> None:
    page = reader.opens(open_page, "linh", expected=(422,))
    page.goto("/submit/script")
    page.get_by_label(reader.says("Job name"), exact=True).fill("too much")
    page.get_by_label(reader.says("Walltime")).fill("7-00:00:00")
    page.get_by_label(reader.says("GPUs on each node")).fill("h100=8")
    page.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    page.locator("[role=alert]").get_by_role("link", name=reader.says("Ask for what is missing")).click()
    expect(page.get_by_label(reader.says("Increase"))).to_be_checked()
    expect(page.get_by_label(reader.says("Project"))).to_have_value("npu-verif")
    filled = page.locator("input[name^='amount.']").evaluate_all(
        "fields => fields.filter(field => field.value).map(field => field.name)"
    )
    assert sorted(filled) == ["amount.VND", "amount.gres/gpu"], "all that was short"


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(open_page: OpenPage) -> None:
    page = open_page(user="linh", locale="vi", expected=(422,))
    page.goto("/requests/new")
    page.get_by_label("Đến hết ngày").fill(in_days(-3))
    page.get_by_label("Mục đích").fill("Hồi quy")
    page.get_by_label("GPU H100", exact=True).fill("nhiều")
    page.get_by_role("button", name="Gửi đề nghị").click()
    expect(page.locator("#e-lines\\.gres\\/gpu\\:h100")).to_contain_text("“nhiều” không phải là số")
    expect(page.get_by_label("GPU H100", exact=True)).to_have_value("nhiều")
    page.get_by_label("GPU H100", exact=True).fill("20")
    page.get_by_role("button", name="Gửi đề nghị").click()
    expect(page.locator("#e-valid_to")).to_contain_text("phải sau ngày bắt đầu")


def test_a_second_administrator_is_told_who_was_faster(open_page: OpenPage) -> None:
    lead = AT_DESK.opens(open_page, "linh")
    purpose = "A second look at the clock tree."
    fill_request(lead, AT_DESK, hours="12", purpose=purpose, kind="Surge grant", days=5)
    lead.get_by_role("button", name="Submit the request").click()
    expect(lead.locator(".head .state")).to_contain_text("Submitted")
    first = AT_DESK.opens(open_page, "thanhpho")
    second = ON_PHONE.opens(open_page, "thanhpho", expected=(422,))
    for page in (first, second):
        page.goto(lead.url)
    expect(second.get_by_role("button", name=ON_PHONE.says("Approve all"))).to_be_visible()
    first.get_by_role("button", name="Approve all").click()
    expect(first.locator(".head .state")).to_contain_text("Approved")
    second.get_by_label(ON_PHONE.says("To whoever asked")).fill("No.")
    second.get_by_role("button", name=ON_PHONE.says("Deny")).click()
    expect(second.locator("[role=alert]")).to_contain_text("đã làm trước")
    expect(second.locator(".head .state")).to_contain_text(ON_PHONE.says("Approved"))


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_wider_than_the_screen(open_page: OpenPage, width: int, theme: str) -> None:
    page = open_page(user="linh", theme=theme, width=width)
    for path in ("/requests", "/requests/new", "/notices", "/menu"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
