"""Charges of a project: every run with its formula, page by page, for who may see the project only."""

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

from openpyxl import load_workbook

from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit
from tests.integration.reports.conftest import Books

CHARGES = "/api/v1/projects/chips/charges"


def test_a_charge_shows_the_formula_that_its_price_came_from(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.member) as client:
        newest, oldest = client.get(CHARGES).json()["items"]
    assert (newest["user"], newest["template"], newest["vnd"]) == ("chips-member", "ai.training", 73_440)
    assert [
        (line["tres"], line["tres_seconds"], line["rate_vnd_per_hour"], line["list_vnd"])
        for line in newest["lines"]
    ] == [("cpu", 14_400, 360, 1_440), ("gres/gpu:h100", 7_200, 36_000, 72_000)]
    assert (oldest["user"], oldest["vnd"], oldest["is_charged"]) == ("chips-lead", 360, True)


def test_charges_come_in_pages_and_of_one_person(november: Books, portal: Portal) -> None:
    at = datetime(2026, 11, 12, tzinfo=UTC)
    for number in range(3):
        books_key = f"job/{number}/1"
        november.charge(november.city.chips, books_key, started_at=at, seconds=10, tres={"cpu": 1})
    with portal.client(november.city.chips.lead) as client:
        first = client.get(CHARGES, params={"limit": 2}).json()
        second = client.get(CHARGES, params={"limit": 2, "cursor": first["next_cursor"]}).json()
        last = client.get(CHARGES, params={"limit": 2, "cursor": second["next_cursor"]}).json()
        of_lead = client.get(CHARGES, params={"user": "chips-lead"}).json()["items"]
    pages = [first["items"], second["items"], last["items"]]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({charge["id"] for page in pages for charge in page}) == 5
    assert [(charge["task_index"], charge["attempt"]) for charge in first["items"]] == [(2, 1), (1, 1)]
    assert last["next_cursor"] is None
    assert [charge["user"] for charge in of_lead] == ["chips-lead"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_charges_of_some_days_are_files_whose_lines_add_up(november: Books, portal: Portal) -> None:
    asked = {"project": "chips", "since": "2026-11-01", "last": "2026-11-30"}
    at = datetime(2026, 11, 30, 17, tzinfo=UTC)  # the first second of December in Da Nang
    november.charge(november.city.chips, "job/0/0", started_at=at, seconds=10, tres={"cpu": 1})
    formula = "=HYPERLINK(1)"
    november.charge(
        november.city.chips,
        "job/1/0",
        started_at=at - timedelta(days=3),
        seconds=3600,
        tres={"cpu": 1},
        workload=formula,
    )
    with portal.client(november.city.chips.member) as client:
        runs = rows_of(client.get("/api/v1/reports/charges", params={**asked, "format": "csv"}).text)
        lines = client.get("/api/v1/reports/charges", params={**asked, "format": "csv", "table": "lines"})
        book = client.get("/api/v1/reports/charges", params={**asked, "format": "xlsx"}).content
        of_lead = client.get("/api/v1/reports/charges", params={**asked, "user": "chips-lead"}).json()
    assert next(row["workload"] for row in runs) == f"'{formula}"
    assert all(row["ended_at"] < "2026-11-30T17" for row in runs)
    paid = sum(int(row["vnd"]) for row in runs)
    assert paid == sum(int(row["vnd"]) for row in rows_of(lines.text))
    sheet, priced = load_workbook(io.BytesIO(book)).worksheets
    cells = [cell for row in [*sheet.iter_rows(), *priced.iter_rows()] for cell in row]
    assert formula in {cell.value for cell in cells}
    assert all(cell.data_type != "f" for cell in cells if cell.value == formula)
    assert {row["user"] for row in of_lead["tables"][0]["rows"]} == {"chips-lead"}


def test_the_runs_of_a_job_are_a_file_for_who_may_see_it(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.member) as client:
        job = submit(client, "=1+1").json()["id"]
        address = f"/api/v1/jobs/{job}/charges"
        assert rows_of(client.get(address, params={"format": "csv"}).text) == []

        november.charge(
            november.city.chips,
            f"{job}/0/0",
            started_at=datetime(2026, 11, 12, tzinfo=UTC),
            seconds=3600,
            tres={"cpu": 2},
            job_id=UUID(job),
        )
        (row,) = rows_of(client.get(address, params={"format": "csv"}).text)
        assert (row["job"], row["vnd"], row["elapsed_seconds"]) == ("'=1+1", "720", "3600")
        (found,) = client.get(address).json()["tables"][1]["rows"]
        assert (found["resource"], found["amount"], found["rate_vnd_per_hour"]) == ("cpu", 7200, 360)
    with portal.client(november.city.rivals.member) as client:
        assert client.get(address).status_code == 404
        assert client.get("/api/v1/reports/charges", params={"project": "chips"}).status_code == 404


def test_nobody_else_sees_them_and_a_foreign_cursor_tells_nothing(november: Books, portal: Portal) -> None:
    with portal.client(november.city.rivals.lead) as client:
        assert client.get(CHARGES).status_code == 404
        [own] = client.get("/api/v1/projects/rivals/charges").json()["items"]
    with portal.client(november.city.chips.lead) as client:
        asked = client.get(CHARGES, params={"cursor": own["id"]}).json()["items"]
        assert len(asked) == 2


def test_the_overview_says_who_used_what_this_month(november: Books, portal: Portal) -> None:
    with portal.client(november.city.chips.member) as client:
        found = client.get("/api/v1/projects/chips/overview").json()
        assert client.get("/api/v1/projects/rivals/overview").status_code == 404
    assert found["charged_vnd"] == 73_440 + 180
    assert [(one["user"], one["vnd"]) for one in found["people"]] == [
        ("chips-member", 73_440),
        ("chips-lead", 180),
    ]
    left = found["by_asset"]["VND"]["available"]
    assert left == 100_000_000 - 73_440 - 360
    assert found["burn_down"]["days"][-1] == {
        "day": str((november.clock.now() + timedelta(hours=7)).date()),
        "left_vnd": left,
    }
