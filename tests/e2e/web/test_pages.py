"""What a person does in the browser, on the real application; any error in the console fails the test."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine, select
from sqlmodel import col

from hpc_portal.app.tables import Job
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City

pytestmark = pytest.mark.xdist_group("browser-pages")
"""One server, one city and one browser for all of them."""


def _cancel_wish(city: City, job: str) -> object:
    engine = create_engine(city.settings.effective_database_url)
    with engine.connect() as connection:
        wish = select(col(Job.cancel_requested_at)).where(col(Job.id) == city.jobs[job])
        found = connection.execute(wish).scalar_one()
    engine.dispose()
    return found


def test_signing_in_goes_where_the_reader_wanted_and_out_again(open_page: OpenPage, portal: str) -> None:
    page = open_page(user=None, locale="en", expected=(422,))
    page.goto("/quota")
    expect(page).to_have_url(f"{portal}/sign-in?next=/quota")
    page.get_by_label("User name").fill("linh")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The user name or the password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("linh")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{portal}/quota")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/jobs")
    expect(page).to_have_url(f"{portal}/sign-in?next=/jobs")


def test_the_language_is_vietnamese_until_the_reader_chooses_english(open_page: OpenPage) -> None:
    page = open_page()
    page.context.clear_cookies(name="locale")
    page.goto("/jobs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tác vụ")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("link", name="Tiếng Việt")).to_be_visible()


def test_jobs_are_filtered_in_the_url_and_paged(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/jobs?text=lint-top")
    rows = page.locator("[data-job]")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Show older jobs").click()
    expect(rows).to_have_count(60)
    expect(page.get_by_role("link", name="Show older jobs")).to_have_count(0)
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("State").select_option("OUT_OF_MEMORY")
    expect(page).to_have_url(re.compile("state=OUT_OF_MEMORY"))
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("spice-mc")
    page.get_by_label("Name", exact=True).fill("no such name")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No job fits this filter")).to_be_visible()


def test_every_state_has_a_word_and_a_reason(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto("/jobs")
    for name, word in (
        ("npu-synth", "Queued"),
        ("fifo-regression", "Running"),
        ("sram-refused", "Refused"),
        ("axi-formal", "Failed"),
        ("drc-macro", "Node failed"),
        ("sta-ss-125c", "Out of time"),
        ("spice-mc", "Out of memory"),
        ("digits-training", "Completed"),
    ):
        row = page.locator(f'[data-job="{city.jobs[name]}"]')
        expect(row.locator(".state")).to_contain_text(word)
    waiting = page.locator("[data-job]", has_text="npu-synth")
    expect(waiting).to_contain_text("Waiting until enough CPUs, memory or GPUs are free.")


def test_a_failed_job_explains_its_exit_code(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['axi-formal']}")
    expect(page.locator(".alert-bad")).to_contain_text("127: command not found")


def test_a_campaign_shows_its_matrix_and_groups_failures_by_cause(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['fifo-regression']}")
    expect(page.locator(".matrix .cell")).to_have_count(42)
    expect(page.locator(".matrix .cell.tone-bad")).to_have_count(4)
    causes = page.locator("section", has_text="Failures by cause").locator("tbody tr")
    expect(causes).to_have_count(2)
    causes.first.get_by_role("link").click()
    expect(page.locator(".log-line.target")).to_contain_text("TB_ERROR [LEVEL]")


def test_a_training_draws_its_curves(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['digits-training']}/metrics")
    expect(page.locator(".curve canvas")).to_have_count(2)


def test_another_task_shows_its_own_log(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['fifo-regression']}/log?task=9&file=logs/random-10.log")
    expect(page.locator("#L2")).to_contain_text("TB_ERROR")
    page.get_by_label("Task").fill("12")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("task=12"))
    expect(page.get_by_label("File")).to_have_value("regression/task-12.out")


def test_cancelling_records_the_wish_and_the_list_says_so_live(open_page: OpenPage, city: City) -> None:
    watching = open_page(locale="en")
    watching.goto("/jobs")
    row = watching.locator("[data-job]", has_text="pnr-block-b")
    expect(watching.locator(".live")).to_contain_text("Live")
    expect(row.locator(".state")).to_contain_text("Queued")
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['pnr-block-b']}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".head .state")).to_contain_text("Cancelling")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert _cancel_wish(city, "pnr-block-b") is not None
    expect(row.locator(".state")).to_contain_text("Cancelling")


def test_a_job_tells_what_it_used_and_ones_last_jobs_size_the_next(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="vi")
    page.goto(f"/jobs/{city.jobs['digits-training']}")
    card = page.locator(".card", has=page.get_by_role("heading", name="Hiệu quả"))
    expect(card).to_contain_text("trung bình 3,5 trong")
    expect(card.get_by_role("link", name="Gửi lại với mức vừa đủ")).to_have_count(0)
    page.goto(f"/jobs/{city.jobs['digits-baseline']}")
    page.get_by_role("link", name="Gửi lại với mức vừa đủ").click()
    expect(page.get_by_label("CPU", exact=True)).to_have_value("5")
    page.goto("/submit/pytorch-training")
    page.get_by_role("link", name="Xin 5 nhân CPU, 6,2 GiB, 45 ph").click()
    expect(page.get_by_label("CPU", exact=True)).to_have_value("5")


def test_cost_shows_estimate_hold_and_charge(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['ocr-vi-finetune']}/cost")
    figures = page.locator(".figure")
    # 2 h of 4 CPUs at 1,000, 8 GiB at 100 and 4 H100 at 60,000 đồng an hour.
    expect(figures.nth(0)).to_have_text("489,600\N{NO-BREAK SPACE}₫")
    expect(figures.nth(1)).to_have_text("489,600\N{NO-BREAK SPACE}₫")
    expect(figures.nth(2)).to_have_text("0\N{NO-BREAK SPACE}₫")


def test_quota_shows_what_is_left_in_both_languages(open_page: OpenPage) -> None:
    page = open_page(locale="vi")
    page.goto("/quota")
    vnd = page.locator("tr", has_text="VND")
    expect(vnd).to_contain_text("50.000.000\N{NO-BREAK SPACE}₫")
    expect(page.locator("h2", has_text="npu-verif")).to_be_visible()
    expect(page.get_by_text("riscv-lab")).to_have_count(0)


def test_the_price_is_shown_before_the_click_and_the_job_after_it(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en")
    page.goto("/submit/script")
    estimate = page.locator("#estimate")
    expect(estimate.locator(".figure")).to_have_text("1,100\N{NO-BREAK SPACE}₫")
    page.get_by_label("Job name").fill("from the browser")
    page.get_by_label("CPUs").fill("2")
    expect(estimate.locator(".figure")).to_have_text("2,100\N{NO-BREAK SPACE}₫")
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile(f"{portal}/jobs/[0-9a-f-]{{36}}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("from the browser")


def test_a_budget_that_is_too_small_is_said_before_the_click(open_page: OpenPage) -> None:
    page = open_page(user="minh")
    page.goto("/submit/script")
    page.get_by_label("Thời gian chạy tối đa").fill("7-00:00:00")
    page.get_by_label("GPU trên mỗi nút").fill("h100=8")
    # 168 h of 8 H100 at 60,000, a CPU at 1,000 and 1 GiB at 100 đồng an hour; the grant has 600 GPU-hours.
    expect(page.locator("#estimate .figure")).to_have_text("80.824.800\N{NO-BREAK SPACE}₫")
    expect(page.locator("#estimate .alert-bad")).to_contain_text("Dự án riscv-lab còn")


def test_a_wrong_form_keeps_what_was_typed_and_says_what_to_mend(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en", expected=(422,))
    page.goto("/submit/script")
    page.get_by_label("Job name").fill("kept")
    page.get_by_label("CPUs").fill("9999")
    page.get_by_label("Walltime").fill("tomorrow")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("2 things to mend; nothing was submitted")
    expect(page.get_by_label("Job name")).to_have_value("kept")
    expect(page.get_by_label("CPUs")).to_have_value("9999")
    expect(page.get_by_label("CPUs")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-resources-walltime_seconds-error")).to_have_text(
        "Enter a time such as 01:30:00 or 2-12:00:00."
    )


def test_reading_pricing_and_submitting_work_without_scripts(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en", javascript=False)
    page.goto("/jobs?text=lint-top")
    expect(page.locator("[data-job]")).to_have_count(50)
    page.get_by_role("link", name="Show older jobs").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.locator("[data-job]").first).to_be_visible()
    page.goto("/submit/script")
    page.get_by_label("Job name").fill("no scripts here")
    page.get_by_role("button", name="Show the price").click()
    expect(page.locator("#estimate .figure")).to_have_text("1,100\N{NO-BREAK SPACE}₫")
    expect(page.get_by_label("Job name")).to_have_value("no scripts here")
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".head .state")).to_contain_text("Cancelling")


def test_a_token_is_shown_once_and_can_be_revoked(open_page: OpenPage) -> None:
    page = open_page(locale="en", user="minh")
    page.goto("/settings")
    page.get_by_label("What will use it").fill("laptop")
    page.get_by_role("button", name="Create a token").click()
    expect(page.locator("[data-token]")).to_have_text(re.compile(r"^hpc_\S{40,}$"))
    page.goto("/settings")
    expect(page.locator("[data-token]")).to_have_count(0)
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.locator("tr", has_text="laptop")).to_contain_text("revoked")


def test_another_tenant_sees_nothing(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en", expected=(403, 404))
    job = city.jobs["secret-core"]
    for tab in ("", "/log", "/files", "/cost", "/script", "/events"):
        answer = page.goto(f"/jobs/{job}{tab}")
        assert answer
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    page.goto("/jobs")
    assert "secret-core" not in page.content()
    assert "riscv-lab" not in page.content()
    answer = page.goto("/admin/projects")
    assert answer
    assert answer.status == 403


def test_the_city_sees_every_project_and_its_balance(open_page: OpenPage) -> None:
    page = open_page(locale="en", user="thanhpho")
    page.goto("/admin/projects")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tfoot")).to_contain_text("57,000,000\N{NO-BREAK SPACE}₫")


def test_a_tick_list_that_names_no_job_is_refused_in_words(open_page: OpenPage) -> None:
    page = open_page(locale="en", expected=(404,))
    page.goto("/jobs?text=pnr-block-a")
    form = page.locator("form[action='/jobs/cancel']")
    form.evaluate("form => form.insertAdjacentHTML('beforeend', '<input type=hidden name=id value=nothing>')")
    form.evaluate("form => form.submit()")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


def test_an_unknown_address_is_a_page_in_the_readers_language(open_page: OpenPage) -> None:
    page = open_page(locale="vi", expected=(404,))
    page.goto("/khong-co")
    expect(page.get_by_role("heading", level=1)).to_have_text("Không tìm thấy")
    expect(page.get_by_role("link", name="Về trang đầu")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_ended_jobs_are_run_again_together_once_their_price_was_shown(
    open_page: OpenPage, *, javascript: bool
) -> None:
    page = open_page(locale="en", javascript=javascript)
    page.goto("/jobs?state=COMPLETED")
    ticks = page.locator(".tick")
    for tick in ticks.all()[:2]:
        tick.check()
    if javascript:
        expect(page.get_by_role("button", name="Cancel the ticked jobs")).to_be_disabled()
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run again")
    expect(page.locator("tfoot")).to_contain_text("You pay, at most")
    names = page.locator("tbody .job-name").all_text_contents()
    assert len(names) == 2
    page.get_by_role("button", name="Run 2 jobs again").click()
    expect(page.locator("[data-job] .job-name").nth(0)).to_have_text(names[1])
    expect(page.locator("[data-job] .job-name").nth(1)).to_have_text(names[0])
    expect(page.locator("[data-job] .state").first).to_have_text("Queued")


def test_on_a_phone_each_figure_stands_beside_its_columns_name(open_page: OpenPage) -> None:
    page = open_page(width=390)
    page.goto("/quota")
    left = page.locator("td[data-label='Còn lại']").first
    expect(left).to_contain_text("₫")
    box, column = page.locator(".table-box").first.bounding_box(), left.bounding_box()
    assert box
    assert column
    assert column["x"] + column["width"] <= box["x"] + box["width"]
