"""Site templates in the browser: published from a page, then a form like any other."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

import workloads.site
from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser")

EXAMPLE = Path(workloads.site.__file__).parent / "examples/vcs.toml"
DOCUMENT = EXAMPLE.read_text("utf-8").replace("VCSRuntime_Net", "vcs")
"""With the licence feature that the city has."""


def test_a_template_is_checked_published_and_submitted(open_page: OpenPage, tmp_path: Path) -> None:
    admin = open_page(user="thanhpho", locale="vi", theme="dark", expected=(422,))
    admin.goto("/admin/templates")
    admin.screenshot(path=tmp_path / "empty.png", full_page=True)
    admin.locator("#document").fill(DOCUMENT.replace('type = "word"', 'type = "wrod"'))
    admin.locator("main form button").first.click()
    wrong = admin.get_by_role("alert")
    expect(wrong).to_contain_text("parameters.top.type")
    expect(wrong).to_contain_text("'wrod' không phải là kiểu tham số")
    expect(admin.locator("#document")).to_have_value(DOCUMENT.replace('type = "word"', 'type = "wrod"'))
    admin.screenshot(path=tmp_path / "wrong.png", full_page=True)

    (tmp_path / "vcs.toml").write_text(DOCUMENT, encoding="utf-8")
    admin.goto("/admin/templates")
    admin.locator("#file").set_input_files(tmp_path / "vcs.toml")
    admin.locator("main form button").first.click()
    admin.wait_for_url("**/admin/templates/vcs-regression")
    expect(admin.locator("h1")).to_have_text("Hồi quy mô phỏng RTL với VCS")
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.screenshot(path=tmp_path / "version-390.png", full_page=True)
    admin.goto("/admin/templates")
    admin.screenshot(path=tmp_path / "list-390.png", full_page=True)

    page = open_page(user="linh", locale="vi")
    page.goto("/submit")
    page.screenshot(path=tmp_path / "gallery.png", full_page=True)
    page.get_by_role("link", name="Hồi quy mô phỏng RTL với VCS").click()
    expect(page.locator("label[for='f-seeds']")).to_have_text("Số seed")
    page.locator("[name='upload.sources']").set_input_files(
        {"name": "tb.sv", "mimeType": "text/plain", "buffer": b"module tb; endmodule\n"}
    )
    expect(page.locator("#estimate")).to_contain_text("₫")
    page.screenshot(path=tmp_path / "form.png", full_page=True)
    page.locator("#job-form .deed button.btn-primary").click()
    page.wait_for_url("**/jobs/*")
    page.goto(f"{page.url}/script")
    expect(page.locator("main")).to_contain_text("Hồi quy mô phỏng RTL với VCS (vcs-regression, phiên bản 1)")
    page.screenshot(path=tmp_path / "spec.png", full_page=True)
