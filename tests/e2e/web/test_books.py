"""What an administrator does with the books in the browser."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hpc_portal.app.db import create_engine, transact
from quotas.discrepancies import Finding, report
from quotas.usage_tables import DiscrepancyKind
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-books")

FOUND = (
    Finding(
        DiscrepancyKind.CLUSTER_DAY,
        "cluster_day:danang:2026-11-03:npu-verif",
        {
            "cluster": "danang",
            "day": "2026-11-03",
            "account": "npu-verif",
            "expected": {"elapsed_seconds": 7200, "cpu_seconds": 72_000, "gpu_seconds": 0},
            "found": {"elapsed_seconds": 7200, "cpu_seconds": 36_000, "gpu_seconds": 0},
        },
    ),
    Finding(
        DiscrepancyKind.UNKNOWN_ACCOUNT,
        "unknown_account:danang:chipx:an",
        {
            "cluster": "danang",
            "account": "chipx",
            "cluster_user": "an",
            "runs": 12,
            "why": "No project of this account.",
        },
    ),
)


@pytest.fixture
def books(city: City) -> City:
    """Two things that do not add up."""
    engine = create_engine(city.settings.effective_database_url)
    at = datetime.now(UTC) - timedelta(hours=3)
    transact(engine, lambda connection: report(connection, FOUND, at=at))
    engine.dispose()
    return city


@pytest.mark.parametrize(("locale", "theme", "width"), [("vi", "light", 1280), ("en", "dark", 390)])
def test_the_books_fit_in_both_languages_themes_and_widths(  # noqa: PLR0913 - fixtures and parameters
    open_page: OpenPage, books: City, tmp_path: Path, *, locale: str, theme: str, width: int
) -> None:
    del books
    page = open_page(locale=locale, theme=theme, width=width, user="thanhpho")
    answer = page.goto("/admin/books")
    assert answer
    assert answer.status == 200
    expect(page.locator("main")).to_contain_text("npu-verif")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / f"books-{locale}-{width}.png", full_page=True)


def test_a_discrepancy_is_explained_and_gone_from_the_list(open_page: OpenPage, books: City) -> None:
    del books
    page = open_page(locale="en", user="thanhpho")
    page.goto("/admin/books")
    row = page.locator("[data-item]", has_text="chipx")
    row.get_by_label("Why it is right").fill("A guest of the opening; the city pays.")
    row.get_by_role("button", name="Explain").click()
    expect(page.locator("section", has_text="Decided")).to_contain_text("A guest of the opening")
    expect(page.locator("[data-item]", has_text="chipx")).to_have_count(0)


def test_nobody_else_sees_the_books(open_page: OpenPage) -> None:
    page = open_page(locale="en", user="minh", expected=(403,))
    answer = page.goto("/admin/books")
    assert answer
    assert answer.status == 403
