"""A teacher's term in a browser: thirty students, one of whom joins, gets more and loses it at the end."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.readers import AT_DESK, ON_PHONE, Reader

pytestmark = pytest.mark.xdist_group("browser-classes")
"""One server, one city and one browser for all of them."""

STUDENTS = [f"sv{number:02}@dut.example.vn" for number in range(1, 31)]
PASSWORD = "correct horse battery staple"
PHONE = 390
USED = (
    "This invitation was used, withdrawn or replaced by a newer one, or its time is over. "
    "Ask whoever invited you for a new one."
)
CLOSED = "Closed for good: no job can be submitted. Everything can still be read."


def make_class(page: Page, reader: Reader, *, name: str, each: str = "100.000") -> list[str]:
    """Fill in the form as a teacher does; the links of the invitations."""
    page.goto("/projects/npu-verif/classes")
    page.get_by_role("link", name=reader.says("New class")).click()
    page.locator("#name").fill(name)
    page.locator("#students").fill("\n".join(STUDENTS))
    page.locator("[name='amount.VND']").fill(each)
    page.locator("[name='amount.cpu']").fill("10")
    page.get_by_role("button", name=reader.says("Make the class")).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return [cell.inner_text() for cell in page.locator("[data-link]").all()]


def test_a_teacher_with_thirty_students(open_page: OpenPage, portal: str) -> None:
    reader, learner = ON_PHONE, AT_DESK
    teacher = reader.opens(open_page, "linh")
    links = make_class(teacher, reader, name="Thiết kế vi mạch 1")
    assert len(set(links)) == 30
    expect(teacher.locator("tr[data-student]")).to_have_count(30)
    expect(teacher.get_by_text(reader.says("Invited")).first).to_be_visible()
    address = re.sub(r"^https?://[^/]+", "", links[0])

    student = learner.opens(open_page, None, expected=(422, 404))
    student.goto(address)
    expect(student.get_by_text("Sao Biển Semiconductor")).to_be_visible()
    student.locator("#username").fill("linh")
    student.locator("#display_name").fill("Phạm Văn Học")
    student.locator("#password").fill(PASSWORD)
    join = student.get_by_role("button", name=learner.says("Make an account and join"))
    join.click()
    expect(student.get_by_role("alert")).to_contain_text("linh")
    student.locator("#username").fill("hoc")
    student.locator("#password").fill(PASSWORD)
    join.click()
    student.wait_for_url(f"{portal}/projects/npu-verif-sv01")
    expect(student.get_by_text(learner.vnd(100_000)).first).to_be_visible()

    student.goto("/projects/npu-verif-sv02")
    expect(student.get_by_role("heading", name=learner.says("Not found"))).to_be_visible()
    student.goto(address)
    expect(student.get_by_role("alert")).to_contain_text(learner.says(USED))

    teacher.goto("/projects/npu-verif/classes")
    teacher.get_by_role("link", name="Thiết kế vi mạch 1").click()
    row = teacher.locator("tr[data-student='sv01@dut.example.vn']")
    expect(row).to_contain_text("Phạm Văn Học")
    row.locator("summary").click()
    row.locator("[name='amount.VND']").fill("50.000")
    row.get_by_role("button", name=reader.says("Grant more")).click()
    expect(row).to_contain_text(left_of(reader, 150_000, 150_000))
    row.locator("summary").click()
    row.get_by_role("button", name=reader.says("Take back")).click()
    expect(row).to_contain_text(left_of(reader, 0, 0))

    teacher.locator("summary", has_text=reader.says("End the class")).click()
    teacher.get_by_role("button", name=reader.says("End the class for good")).click()
    expect(teacher.locator("tr[data-student]").first).to_contain_text(reader.says("Closed"))
    student.goto("/projects/npu-verif-sv01")
    expect(student.get_by_text(learner.says(CLOSED))).to_be_visible()


def left_of(reader: Reader, left: int, given: int) -> str:
    return reader.says("%(left)s of %(given)s left", left=reader.vnd(left), given=reader.vnd(given))


def test_more_than_there_is_is_refused_and_the_form_keeps_what_was_entered(open_page: OpenPage) -> None:
    page = open_page(user="linh", expected=(422,))
    page.goto("/projects/npu-verif/classes/new")
    page.locator("#name").fill("Quá nhiều")
    page.locator("#students").fill("\n".join(STUDENTS))
    page.locator("[name='amount.VND']").fill("900.000.000")
    page.get_by_role("button", name="Tạo lớp").click()
    expect(page.get_by_role("alert")).to_contain_text("môn học còn trống")
    expect(page.locator("#students")).to_have_value("\n".join(STUDENTS))


@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize(
    "path", ["/projects/npu-verif/members", "/organisations/sao-bien", "/admin/organisations"]
)
def test_pages_of_tenants_fit_phone_and_desktop(open_page: OpenPage, path: str, width: int) -> None:
    page = open_page(user="thanhpho", locale="en", width=width)
    page.goto(path)
    expect(page.locator("main h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_an_administrator_suspends_a_project_and_its_people_read_why(open_page: OpenPage) -> None:
    admin = open_page(user="thanhpho", locale="en")
    admin.goto("/projects/riscv-lab")
    admin.locator("summary", has_text="Suspend or close").click()
    admin.locator("#reason").fill("The audit of May.")
    admin.get_by_role("button", name="Suspend", exact=True).click()
    expect(admin.locator(".alert-wait")).to_contain_text("The audit of May.")
    member = open_page(user="minh", locale="vi")
    member.goto("/projects/riscv-lab")
    expect(member.locator(".alert-wait")).to_contain_text("The audit of May.")
    admin.get_by_role("button", name="Resume").click()
    expect(admin.locator("main .head")).to_contain_text("Active")


def test_addresses_that_were_typed_stay_when_one_is_wrong(open_page: OpenPage) -> None:
    page = open_page(user="linh", expected=(422,))
    page.goto("/projects/npu-verif/members")
    page.locator("#emails").fill("an@dut.example.vn, binh.example.vn")
    page.get_by_role("button", name="Gửi lời mời").click()
    expect(page.get_by_role("alert")).to_contain_text("binh.example.vn")
    expect(page.locator("#emails")).to_have_value("an@dut.example.vn, binh.example.vn")
