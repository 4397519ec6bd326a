"""A batch script dropped or pasted is translated line by line, then fills the form."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-scripts")

SBATCH = """#!/bin/bash
#SBATCH --job-name=nightly --time=30 --array=0-9%3
#SBATCH --mem=2G --mail-type=END
make -C sim nightly
"""
BSUB = "#!/bin/bash\n#BSUB -J reg -n 2 -W 1:30\n#BSUB -K\n#BSUB -R 'rusage[mem=4G]'\n./simv\n"
DROP = """text => {
  const files = new DataTransfer()
  files.items.add(new File([text], 'job.sh'))
  document.querySelector('main').dispatchEvent(new DragEvent('drop', {
    dataTransfer: files, bubbles: true, cancelable: true,
  }))
}"""


def test_a_script_dropped_on_the_gallery_is_translated_and_fills_the_form(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/submit")
    page.evaluate(DROP, "module top; endmodule")
    expect(page.locator(".toast-box")).to_contain_text("#!")
    page.evaluate(DROP, SBATCH)
    rows = page.locator(".translation tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.filter(has_text="--time=30")).to_contain_text("Walltime: 00:30:00")
    expect(rows.filter(has_text="--mail-type=END")).to_contain_text("Stays in the header")
    assert barriers(page) == []
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_label("Job name")).to_have_value("nightly")
    expect(page.get_by_label("Array", exact=True)).to_have_value("0-9%3")
    expect(page.get_by_label("Memory")).to_have_value("2G")
    page.get_by_label("Walltime").fill("01:00:00")
    expect(page.locator("#estimate")).to_contain_text("10.0 h")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("nightly")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_pasted_bsub_script_says_what_has_no_effect_and_what_is_refused(
    open_page: OpenPage, *, javascript: bool
) -> None:
    page = open_page(locale="vi", width=390, javascript=javascript)
    page.goto("/translate")
    page.locator("#script-text").fill(BSUB.replace("-n 2", "-n 2 -XF"))
    page.locator("form:has(#script-text) button").click()
    rows = page.locator(".translation tbody tr")
    expect(rows.filter(has_text="-XF")).to_contain_text("từ chối")
    expect(rows.filter(has_text="-K")).to_contain_text("Không có tác dụng")
    page.locator("#script-text").fill(BSUB)
    page.locator("form:has(#script-text) button").click()
    page.get_by_role("button", name="Dùng script này").click()
    expect(page.locator("#f-resources-walltime_seconds")).to_have_value("01:30:00")
    expect(page.locator("#f-resources-memory_mib")).to_have_value("4G")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_file_that_is_no_script_is_refused_in_words(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "simv").write_bytes(b"\x7fELF\0\0")
    page = open_page(locale="en", expected=(422,))
    page.goto("/translate")
    page.locator("#script-file").set_input_files(tmp_path / "simv")
    page.locator("#bring button").click()
    expect(page.get_by_role("alert")).to_contain_text("no text")
