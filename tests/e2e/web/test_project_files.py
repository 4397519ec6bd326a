"""A project's files in the browser: dropped, resumed, overwritten when asked, deleted when sure."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from hpc_portal.app.files.shared_folder import shared_folder
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser")
PROJECT = "npu-verif"
FILES = f"/projects/{PROJECT}/files"
DROP = """(files) => {
  const transfer = new DataTransfer()
  for (const [name, text, times] of files) transfer.items.add(new File([text.repeat(times)], name))
  const target = document.querySelector('[data-uploads]')
  for (const type of ['dragenter', 'dragover', 'drop']) {
    target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }))
  }
}"""
HALF = 32 * 1024 * 1024


def folder_of(city: City) -> Path:
    root = city.settings.effective_workspace_root
    return root / shared_folder(organisation="sao-bien", account=PROJECT)


def drop(page: Page, *files: tuple[str, str, int]) -> None:
    page.evaluate(DROP, list(files))


def _never_answer(_: Route) -> None:
    """The request waits for as long as the page does."""


def test_files_that_are_dropped_arrive_also_over_a_connection_that_breaks(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    shutil.rmtree(folder_of(city), ignore_errors=True)  # what the other tests left there
    page = open_page(locale="en", expected=(503,))
    broken: list[str] = []

    def break_once(route: Route) -> None:
        """The second part of the large file gets lost on its way."""
        if f"offset={HALF}" in route.request.url and not broken:
            broken.append(route.request.url)
            route.fulfill(status=503, body="")
        else:
            route.continue_()

    page.route("**/uploads/**", break_once)
    page.goto(FILES)
    expect(page.get_by_text("No files here yet")).to_be_visible()
    drop(page, ("top.v", "module top;\n", 1), ("wave.bin", "x", HALF + 1000), ("<b>&.v", "y", 3))
    rows = page.locator(".uploads-list li")
    expect(rows).to_have_count(3)
    for row in rows.all():
        expect(row).to_have_attribute("data-state", "done")
        expect(row.get_by_role("progressbar")).to_have_js_property("value", 1)
    page.screenshot(path=tmp_path / "uploaded.png", full_page=True)
    assert len(broken) == 1
    expect(page.get_by_role("status").filter(has_text="3 of 3 files uploaded")).to_be_visible()
    expect(page.get_by_role("link", name="wave.bin", exact=True)).to_be_visible()
    assert (folder_of(city) / "wave.bin").read_bytes() == b"x" * (HALF + 1000)
    assert (folder_of(city) / "<b>&.v").read_text() == "yyy"
    page.get_by_role("searchbox", name="Search the project's files").fill("TOP")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="wave.bin", exact=True)).to_have_count(0)
    page.get_by_role("link", name="top.v", exact=True).click()
    expect(page.get_by_text("module top;")).to_be_visible()
    expect(page.get_by_text("$HPC_PROJECT_FILES/top.v")).to_be_visible()


def test_a_name_that_is_taken_is_overwritten_only_when_asked(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    folder_of(city).mkdir(parents=True, exist_ok=True)
    (folder_of(city) / "taken.v").write_text("old")
    page = open_page(expected=(409,), width=390, theme="dark")
    page.goto(FILES)
    drop(page, ("taken.v", "the new text", 1))
    row = page.locator(".uploads-list li")
    expect(row).to_have_attribute("data-state", "taken")
    page.screenshot(path=tmp_path / "taken-390.png", full_page=True)
    assert (folder_of(city) / "taken.v").read_text() == "old"
    row.get_by_role("button", name="Ghi đè").click()
    expect(row).to_have_attribute("data-state", "done")
    assert (folder_of(city) / "taken.v").read_text() == "the new text"


def test_an_upload_that_is_cancelled_leaves_nothing(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.route("**/uploads/**offset=0**", _never_answer)
    page.goto(FILES)
    drop(page, ("never.bin", "x", 10))
    row = page.locator(".uploads-list li")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_attribute("data-state", "cancelled")
    assert not (folder_of(city) / "never.bin").exists()
    page.unroute_all(behavior="ignoreErrors")


def test_without_scripts_forms_upload_make_folders_rename_and_delete(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    page = open_page(locale="en", javascript=False, expected=(422,))
    page.goto(FILES)
    page.locator("summary", has_text="New folder").click()
    page.get_by_label("Name of the folder").fill("rtl")
    page.get_by_role("button", name="Make").click()
    page.locator("#upload-files").set_input_files(
        FilePayload(name="core.v", mimeType="text/plain", buffer=b"module core;\n")
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("link", name="core.v", exact=True)).to_be_visible()
    page.screenshot(path=tmp_path / "no-script.png", full_page=True)
    page.get_by_role("link", name="Rename core.v").click()
    page.get_by_label("New path").fill("../out.v")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("alert")).to_contain_text("without “..”")
    page.get_by_label("New path").fill("rtl/cpu.v")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("link", name="cpu.v", exact=True)).to_be_visible()
    page.get_by_role("link", name="One folder up").click()
    page.get_by_role("link", name="Delete rtl").click()
    expect(page.get_by_text("With everything in it: 2 files and folders")).to_be_visible()
    page.screenshot(path=tmp_path / "delete.png", full_page=True)
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("link", name="Delete rtl")).to_have_count(0)
    assert not (folder_of(city) / "rtl").exists()


def test_inputs_of_a_job_are_chosen_from_the_projects_files_and_stay_as_they_were(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    (folder_of(city) / "fifo").mkdir(parents=True, exist_ok=True)
    (folder_of(city) / "fifo" / "fifo.sv").write_text("module fifo; endmodule\n")
    page = open_page(locale="en")
    page.goto("/submit/lint")
    box = page.locator("[data-stored]").first
    box.locator("summary").click()
    box.get_by_role("button", name="fifo/").click()
    box.get_by_label("fifo.sv").check()
    box.get_by_role("searchbox").fill("FIFO")
    expect(box.get_by_label("fifo/fifo.sv")).to_be_checked()
    box.get_by_role("searchbox").fill("")
    box.evaluate(
        DROP.replace("document.querySelector('[data-uploads]')", "box").replace("(files)", "(box, files)"),
        [["pkg.sv", "package pkg; endpackage\n", 1]],
    )
    expect(box.get_by_role("textbox", name="Paths among")).to_have_value("fifo/fifo.sv\nfifo/pkg.sv")
    page.screenshot(path=tmp_path / "picker.png", full_page=True)
    page.locator("#f-top").fill("fifo")
    page.get_by_role("button", name="Submit").first.click()
    page.wait_for_url("**/jobs/*")
    (folder_of(city) / "fifo" / "fifo.sv").write_text("module other; endmodule\n")
    job = page.request.get(f"/api/v1{page.url[page.url.index('/jobs/') :]}").json()
    assert job["parameters"]["sources"] == {
        "fifo/fifo.sv": "module fifo; endmodule\n",
        "fifo/pkg.sv": "package pkg; endpackage\n",
    }


def test_a_chosen_file_that_is_gone_is_said_at_its_field(open_page: OpenPage) -> None:
    page = open_page(locale="en", javascript=False, expected=(422,))
    page.goto("/submit/lint")
    page.locator("[data-stored] summary").first.click()
    page.locator("[name='stored.sources']").fill("gone.sv")
    page.get_by_role("button", name="Submit").first.click()
    expect(page.get_by_text("“gone.sv” is not among the project's files any more").first).to_be_visible()
    expect(page.locator("[name='stored.sources']")).to_have_value("gone.sv")


def test_the_other_tenant_finds_no_files(open_page: OpenPage) -> None:
    page = open_page(user="minh", locale="en", expected=(404,))
    for path in ("", "/top.v"):
        reply = page.goto(f"{FILES}{path}")
        assert reply is not None
        assert reply.status == 404
