"""A script with #SBATCH lines in the form: what they ask for stands beside the price."""

import pytest
from playwright.sync_api import expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-scripts")

SCRIPT = (
    "#!/bin/bash\n#SBATCH --job-name=sim --time=30\n"
    "#SBATCH --mail-type=END --mail-user=me@home.vn --mem=2G\n./simv\n"
)


def test_the_header_is_shown_beside_the_price(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/submit/script")
    page.get_by_label("Script", exact=True).fill(SCRIPT)
    header = page.locator("#estimate details")
    expect(header).to_contain_text("resources.walltime_seconds = 00:30:00")
    expect(header).to_contain_text("resources.memory_mib_per_node = 2 GiB")
    expect(header).to_contain_text("address of your account")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_line_that_cannot_be_translated_is_told_in_the_readers_language(
    open_page: OpenPage, *, javascript: bool
) -> None:
    page = open_page(locale="vi", javascript=javascript, expected=(422,))
    page.goto("/submit/script")
    page.locator("textarea").first.fill(SCRIPT.replace("--time=30", "--hint=nomultithread"))
    page.get_by_role("button", name="Gửi tác vụ").click()
    expect(page.locator("main")).to_contain_text("2: --hint=nomultithread \N{EN DASH} Cổng xin CPU và nút")


def test_a_job_that_its_header_names_is_called_so_on_every_tab(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/submit/script")
    page.get_by_label("Script", exact=True).fill(SCRIPT)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("sim")
    page.goto(f"{page.url}/script")
    parameters = page.locator(".card", has_text="Parameters").locator("dl.facts").first
    expect(parameters).to_contain_text("sim")
    expect(parameters).not_to_contain_text("script")
