"""Go anywhere from the keyboard; what is another tenant's is not there."""

import pytest
from playwright.sync_api import expect

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser")


def test_a_job_is_opened_without_the_mouse(open_page: OpenPage, city: City, portal: str) -> None:
    page = open_page(locale="en")
    page.goto("/quota")
    page.keyboard.press("Control+k")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("Overview")
    expect(page.locator("dialog.palette")).to_contain_text("npu-synth")
    page.keyboard.type("ocr-vi")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("ocr-vi-finetune")
    expect(options).to_contain_text("npu-verif · linh")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{portal}/jobs/{city.jobs['ocr-vi-finetune']}")


def test_vietnamese_is_found_without_its_diacritics(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="vi")
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("huan luyen")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("Huấn luyện")
    page.get_by_role("combobox").fill("han muc")
    expect(options.first).to_contain_text("Hạn mức")
    expect(options.last).to_contain_text("Hướng dẫn sử dụng")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{portal}/quota")


def test_another_tenant_s_work_is_not_found(open_page: OpenPage, city: City) -> None:
    for text in ("secret-core", "riscv", str(city.jobs["secret-core"])):
        page = open_page(locale="en", javascript=False)
        page.goto(f"/find?text={text}")
        expect(page.locator("main")).to_contain_text("Nothing that you may open is called like that.")
    page = open_page(user="minh", locale="en", javascript=False)
    page.goto("/find")
    page.locator("main").get_by_role("searchbox").fill("SECRET-core")
    page.locator("main").get_by_role("button", name="Find").click()
    expect(page.locator("main").get_by_role("link", name="secret-core")).to_be_visible()


def test_letters_after_a_g_open_pages_and_a_question_mark_names_them(
    open_page: OpenPage, portal: str
) -> None:
    page = open_page(locale="en")
    page.goto("/")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Jobs")
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page).to_have_url(f"{portal}/")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page).to_have_url(f"{portal}/jobs")
    page.wait_for_load_state()  # from then on the page's script hears keys
    page.keyboard.press("/")
    page.keyboard.type("gj?")
    expect(page.get_by_role("searchbox", name="Name")).to_have_value("gj?")


def test_templates_stand_by_field_and_are_searched_without_scripts(open_page: OpenPage) -> None:
    page = open_page(locale="vi", javascript=False)
    page.goto("/submit")
    expect(page.get_by_role("region", name="Kiểm chứng").get_by_role("link").first).to_contain_text("RTL")
    page.get_by_role("searchbox", name="Tìm mẫu").fill("huan luyen pytorch")
    page.locator("main").get_by_role("button", name="Tìm kiếm").click()
    expect(page.locator("main .shelf")).to_have_count(1)
    expect(page.locator("main .shelf").get_by_role("link")).to_contain_text(["Huấn luyện PyTorch"])
