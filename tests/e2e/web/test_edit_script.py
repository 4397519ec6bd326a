"""The script of a template, edited beside its form: what differs is marked, and the edit goes along."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-submission")

EDITOR = "#f-edited_script"


def _edit(page: Page) -> None:
    editor = page.locator(EDITOR)
    editor.fill(editor.input_value().replace("set -u", "module load verilator\nset -u", 1))


def test_an_edit_is_marked_kept_as_a_draft_submitted_and_copied(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    with page.expect_response("**/submit/lint/estimate"):  # it moves what is below it
        page.goto("/submit/lint")
    page.get_by_text("Edit the script for this job").click()
    _edit(page)
    expect(page.locator("#script-now ins")).to_have_text("module load verilator")
    expect(page.locator("#script-now del")).to_have_count(0)
    expect(page.locator("#commands-now pre").first).to_contain_text("--script-from - <<'SCRIPT'")
    page.get_by_label("Job name").fill("edited by hand")
    page.reload()
    expect(page.locator("#script-now ins")).to_have_text("module load verilator")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("edited by hand")
    job = page.url.rstrip("/").rpartition("/")[2]
    kept = page.request.get(f"/api/v1/jobs/{job}/script").json()
    assert [line["text"] for line in kept["lines"] if line["change"] != "same"] == ["module load verilator"]
    page.goto(f"/submit/lint?like={job}")
    expect(page.locator(EDITOR)).to_have_value(re.compile("^module load verilator$", re.MULTILINE))
    page.get_by_role("button", name="Take the template's script again").click()
    expect(page.locator(EDITOR)).not_to_have_value(re.compile("module load"))
    expect(page.locator("#script-now ins")).to_have_count(0)


def test_an_edit_works_without_scripts_and_one_that_nothing_starts_is_refused(open_page: OpenPage) -> None:
    page = open_page(locale="en", javascript=False, expected=(422,))
    page.goto("/submit/lint")
    page.get_by_text("Edit the script for this job").click()
    page.locator(EDITOR).fill("echo no interpreter")
    page.get_by_role("button", name="Submit").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("#!")
    expect(page.locator(EDITOR)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(EDITOR)).to_have_value("echo no interpreter")
    page.locator(EDITOR).fill("#!/bin/bash\necho hello")
    page.get_by_role("button", name="Show the price").click()
    expect(page.locator("#script-now ins").first).to_have_text("echo hello")
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile("/jobs/"))
