"""The API gives every report as JSON and as files, and says what is wrong with a question."""

import csv
import io

import pytest
from openpyxl import load_workbook

from tests.integration.api.conftest import Portal
from tests.integration.reports.conftest import Books

REPORTS = (
    "/api/v1/reports/usage",
    "/api/v1/reports/waste",
    "/api/v1/reports/utilisation",
    "/api/v1/reports/forecast?project=chips",
    "/api/v1/reports/statements/2026-11?project=chips",
)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_report_comes_in_every_form(november: Books, portal: Portal, lang: str) -> None:
    with portal.client(november.city.chips.lead) as client:
        for path in REPORTS:
            asked = f"{path}{'&' if '?' in path else '?'}lang={lang}"
            json = client.get(asked)
            assert json.status_code == 200, json.text
            assert json.json()["tables"][0]["columns"]
            for form, start in (("csv", b""), ("xlsx", b"PK"), ("pdf", b"%PDF-1.")):
                reply = client.get(f"{asked}&format={form}")
                assert reply.status_code == 200, reply.text
                assert reply.content.startswith(start)
                assert reply.headers["content-disposition"].endswith(f'.{form}"')


def test_json_csv_and_workbook_have_the_same_rows(november: Books, portal: Portal) -> None:
    question = {"by": ["project", "user"], "since": "2026-11-01", "last": "2026-11-30"}
    with portal.client(november.city.chips.lead) as client:
        [table] = client.get("/api/v1/reports/usage", params=question).json()["tables"]
        text = client.get("/api/v1/reports/usage", params={**question, "format": "csv"}).text
        book = client.get("/api/v1/reports/usage", params={**question, "format": "xlsx"}).content
    assert [(row["user"], row["vnd"], row["gpu_seconds"]) for row in table["rows"]] == [
        ("chips-member", 73_440, 7_200),
        ("chips-lead", 180, 0),
    ]
    assert table["total"]["vnd"] == 73_620
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["user"], int(row["vnd"]), int(row["gpu_seconds"])) for row in rows] == [
        (row["user"], row["vnd"], row["gpu_seconds"]) for row in table["rows"]
    ]
    numbers = [
        cell.value
        for line in load_workbook(io.BytesIO(book)).worksheets[0].iter_rows()
        for cell in line
        if cell.data_type == "n" and cell.value is not None
    ]
    assert {73_440, 180, 73_620, 2.0} <= set(numbers)


def test_a_byte_order_mark_comes_when_asked(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.lead) as client:
        path = "/api/v1/reports/usage"
        assert client.get(path, params={"format": "csv", "bom": True}).content.startswith(b"\xef\xbb\xbf")
        assert not client.get(path, params={"format": "csv"}).content.startswith(b"\xef\xbb\xbf")


IMPOSSIBLE = [
    ("/api/v1/reports/usage?since=2026-11-02&last=2026-11-01", "last"),
    ("/api/v1/reports/usage?since=2000-01-01", "since"),
    ("/api/v1/reports/usage?last=9999-12-31", "last"),
    ("/api/v1/reports/utilisation?since=0001-01-01", "since"),
    ("/api/v1/reports/statements/9999-12?project=chips", "month"),
    ("/api/v1/reports/statements/0001-01?project=chips", "month"),
    ("/api/v1/reports/usage?by=day&by=user&by=state&by=project", "by"),
    ("/api/v1/reports/usage?by=colour", "by"),
    ("/api/v1/reports/usage?since=yesterday", "since"),
    ("/api/v1/reports/statements/2026-13?project=chips", "month"),
    ("/api/v1/reports/statements/november?project=chips", "month"),
    ("/api/v1/reports/statements/2026-11", "project"),
    ("/api/v1/reports/statements/2026-11?project=chips&organisation=chips-org", "project"),
]


def test_an_impossible_question_is_refused_by_field(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.lead) as client:
        for path, field in IMPOSSIBLE:
            reply = client.get(path)
            assert reply.status_code == 422, reply.text
            assert any(field in problem["field"] for problem in reply.json()["problems"]), reply.text


def test_rows_are_for_those_who_see_all(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.lead) as client:
        for kind in ("runs", "transfers", "entries", "holds"):
            assert client.get(f"/api/v1/reports/rows/{kind}").status_code == 403
        assert client.get("/api/v1/reports/idle-grants").status_code == 403


def test_pages_have_their_files_too(november: Books, portal: Portal) -> None:
    from hpc_portal.auth.sessions import open_session  # noqa: PLC0415 - only this test is a browser

    secret = open_session(portal.city.services, november.city.chips.lead.user_id)
    with portal.client(accept="text/html") as browser:
        browser.cookies.set("hpc_session", secret)
        for path in (
            "/reports",
            "/reports/waste?by=user",
            "/reports/utilisation?by=day",
            "/reports/forecast",
            "/reports/statement?month=2026-11",
        ):
            page = browser.get(path)
            assert page.status_code == 200, page.text
            assert "format=pdf" in page.text
            joined = f"{path}{'&' if '?' in path else '?'}format="
            assert browser.get(f"{joined}pdf").content.startswith(b"%PDF")
            assert browser.get(f"{joined}csv").content.startswith(b"\xef\xbb\xbf")
        assert browser.get("/reports/idle-grants").status_code == 403
        assert browser.get("/reports?since=nonsense").status_code == 422
