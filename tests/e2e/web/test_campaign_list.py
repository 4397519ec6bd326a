"""Campaigns of every kind in one list in the browser: each leads to its page, and it is narrowed in words."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from hpc_portal.app.db import create_engine, transact
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import NOW, City
from tests.e2e.web.points import add_corners, add_sweep
from tests.seeded_campaign import Owner, Shape, seed_campaign

pytestmark = pytest.mark.xdist_group("browser-campaign-list")

SHAPE = Shape(tests=2, seeds=3)


@pytest.fixture(scope="module", autouse=True)
def campaigns(city: City) -> dict[str, UUID]:
    """One of each kind, the regression first."""
    owner = Owner(city.organisations["sao-bien"], city.projects["npu-verif"], city.users["linh"], "danang")
    engine = create_engine(city.settings.effective_database_url)
    regression = transact(engine, lambda connection: seed_campaign(connection, owner, SHAPE, at=NOW))
    engine.dispose()
    return {"regression": regression, "sweep": add_sweep(city), "corners": add_corners(city)}


def names(page: Page) -> list[str]:
    return page.locator("tbody .job-name").all_inner_texts()


def test_every_kind_is_listed_and_leads_to_its_own_page(
    open_page: OpenPage, campaigns: dict[str, UUID], tmp_path: Path
) -> None:
    page = open_page(locale="en")
    page.goto("/campaigns")
    expect(page.locator("tbody .job-name").first).to_have_text("ring-oscillator")
    assert names(page)[:3] == ["ring-oscillator", "tune-digits", "nightly"]
    page.screenshot(path=tmp_path / "list-en-1280.png", full_page=True)
    assert barriers(page) == []
    for name, place, shown in (
        ("nightly", f"/campaigns/{campaigns['regression']}", ".matrix"),
        ("tune-digits", f"/jobs/{campaigns['sweep']}/sweep", ".parallel"),
        ("ring-oscillator", f"/jobs/{campaigns['corners']}/corners", "[data-part='corners']"),
    ):
        page.goto("/campaigns")
        page.get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_url(re.compile(f"{place}$"))
        expect(page.locator(shown)).to_be_visible()


def test_the_list_is_narrowed_without_scripts_on_a_phone(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(locale="vi", theme="dark", width=390, javascript=False)
    page.goto("/campaigns")
    page.get_by_label("Loại").select_option("sweep")
    page.get_by_role("button", name="Lọc").click()
    assert names(page) == ["tune-digits"]
    expect(page.locator("tbody")).to_contain_text("Dò tham số")
    page.get_by_label("Trạng thái").select_option("FAILED")
    page.get_by_role("button", name="Lọc").click()
    expect(page.locator("main")).to_contain_text("Không có đợt chạy nào khớp bộ lọc")
    page.screenshot(path=tmp_path / "nothing-vi-390.png", full_page=True)
    page.get_by_role("link", name="Xóa lọc").first.click()
    assert {"ring-oscillator", "tune-digits", "nightly"} <= set(names(page))


def test_it_fits_a_phone_in_the_dark(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(locale="vi", theme="dark", width=390)
    page.goto("/campaigns")
    expect(page.locator("tbody .job-name").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / "list-vi-390.png", full_page=True)
    assert barriers(page) == []


def test_a_choice_narrows_at_once_and_the_api_says_the_same(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/campaigns")
    page.get_by_label("Kind").select_option("corners")
    expect(page).to_have_url(re.compile("kind=corners"))
    expect(page.locator("tbody .job-name")).to_have_count(1)
    told = page.request.get("/api/v1/campaigns?kind=corners&state=COMPLETED&user=linh").json()["items"]
    assert [(one["kind"], one["name"], one["tasks_total"], one["runs"]) for one in told] == [
        ("corners", "ring-oscillator", 6, [])
    ]
    everything = page.request.get("/api/v1/campaigns").json()["items"]
    assert [one["kind"] for one in everything][:3] == ["corners", "sweep", "regression"]
    assert len(everything[2]["runs"]) == 1


def test_another_tenant_is_shown_none_of_them(open_page: OpenPage, campaigns: dict[str, UUID]) -> None:
    page = open_page(locale="en", user="minh")
    page.goto("/campaigns?project=npu-verif")
    expect(page.locator("main")).to_contain_text("No campaign fits this filter")
    page.goto("/campaigns")
    for name, campaign in campaigns.items():
        assert str(campaign) not in page.content(), name
    for query in ("", "?kind=sweep", "?kind=corners&project=npu-verif", "?user=linh"):
        told = page.request.get(f"/api/v1/campaigns{query}").text()
        assert not [one for one in campaigns.values() if str(one) in told], query
