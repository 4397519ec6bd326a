"""Beside the form: the script that will run, and the commands that submit the same job from a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.db import create_engine
from hpc_portal.app.tables import Job
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City

pytestmark = pytest.mark.xdist_group("browser-submission")

AWKWARD = 'it\'s "$HOME" `id` \\'


def _submitted(city: City, name: str) -> dict[UUID, tuple[object, object, object]]:
    """The jobs of this name: what they run, for which template and parameters."""
    engine = create_engine(city.settings.effective_database_url)
    with engine.connect() as connection:
        asked = select(col(Job.id), col(Job.spec), col(Job.template), col(Job.parameters)).where(
            col(Job.name) == name
        )
        found = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(asked)}
    engine.dispose()
    return found


def _open_commands(page: Page) -> tuple[str, str]:
    page.get_by_text("Show as hpc command / API call").click()
    command = page.get_by_role("region", name="hpc command").text_content()
    call = page.get_by_role("region", name="API call").text_content()
    assert command
    assert call
    return command, call


def test_the_script_follows_what_is_typed(open_page: OpenPage) -> None:
    page = open_page(locale="en", width=390, theme="dark")
    page.goto("/submit/script")
    shown = page.get_by_role("region", name="Script that will run")
    page.get_by_label("Script", exact=True).fill("#!/bin/bash\n./simv +seed=7 </script><b>\n")
    expect(shown).to_contain_text("./simv +seed=7 </script><b>")
    page.get_by_label("Walltime").fill("tomorrow")
    expect(page.locator("#script-now")).to_contain_text("Enter a time such as 01:30:00 or 2-12:00:00.")
    expect(page.locator("#commands-now")).to_contain_text("Enter a time such as")
    page.get_by_label("Walltime").fill("02:00:00")
    expect(shown).to_contain_text("./simv +seed=7")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the script").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("#!/bin/bash\n./simv +seed=7")
    _open_commands(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == []


def test_without_scripts_the_page_shows_both_with_the_price(open_page: OpenPage) -> None:
    page = open_page(locale="vi", javascript=False)
    page.goto("/submit/script")
    page.get_by_label("Tên tác vụ").fill("khong-script")
    page.get_by_role("button", name="Xem giá").click()
    expect(page.locator("#commands-now pre").first).to_contain_text("-p name=khong-script")
    expect(page.locator("#script-now pre")).to_contain_text("#!/bin/")
    expect(page.get_by_role("button", name="Chép")).to_have_count(0)


def test_form_command_and_call_submit_the_same_job(
    open_page: OpenPage, portal: str, city: City, tmp_path: Path
) -> None:
    page = open_page(locale="en")
    page.goto("/submit/script")
    page.get_by_label("Script", exact=True).fill(f"#!/bin/bash\necho {AWKWARD}\n")
    page.get_by_label("Job name").fill("three ways")
    page.get_by_label("CPUs").fill("2")
    page.get_by_text("2 more options").click()
    page.get_by_label("Environment").fill(f"TOP={AWKWARD}\nSEED=7")
    expect(page.locator("#commands-now pre").first).to_contain_text("SEED")
    command, call = _open_commands(page)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("three ways")

    sign_in = page.context.request.post(
        f"{portal}/api/v1/tokens/sign-in",
        data={"username": "linh", "password": PASSWORD, "name": "terminal"},
        headers={"cookie": ""},
    )
    token = sign_in.json()["token"]
    body = json.loads(call.split("<<'JSON'\n")[1].removesuffix("\nJSON"))
    head = {"authorization": f"Bearer {token}", "cookie": ""}
    assert page.context.request.post(f"{portal}/api/v1/jobs", data=body, headers=head).status == 201
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(tmp_path),
            "HPC_URL": portal,
            "HPC_TOKEN": token,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    by_form, *others = _submitted(city, "three ways").values()
    assert len(others) == 2
    assert others == [by_form, by_form]


def test_uploads_count_before_the_click_and_are_named_in_the_command(
    open_page: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / "top.v").write_text("module top; endmodule\n")
    page = open_page(locale="en")
    page.goto("/submit/lint")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "top.v")
    expect(page.locator("#commands-now pre").first).to_contain_text("sources=top.v")
    command, call = _open_commands(page)
    assert "module top" not in command
    assert "module top; endmodule" in call
