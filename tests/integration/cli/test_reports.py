"""Reports on a terminal and as files: `hpc usage`, `hpc statement`, and `hpc-portal report`."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from hpc_portal.app.settings import Settings
from hpc_portal.cli.report import report as app
from schedulers.units import CITY_TIME
from tests.integration.cli.conftest import Person, Ran, run_program

pytestmark = pytest.mark.xdist_group("cli-reports")

OK, FAILED, USAGE, NOT_SIGNED_IN, REFUSED, NOT_FOUND = range(6)
PROJECT = "songhan-fifo"
runner = CliRunner()


def this_month() -> str:
    return f"{datetime.now(UTC).astimezone(CITY_TIME):%Y-%m}"


def report(settings: Settings, *arguments: str, **variables: str) -> Ran:
    environment = {"HPC_PORTAL_STATE_DIR": str(settings.state_dir), "HOME": str(settings.state_dir)}
    return run_program("hpc-portal", "report", *arguments, environment=environment | variables)


def test_what_was_used_is_there_for_eyes_scripts_and_files(designer: Person) -> None:
    done = designer.hpc("usage", "--by", "project", "--json")
    assert done.code == OK, done.stderr
    assert [column["key"] for column in done.json["tables"][0]["columns"]][:2] == ["project", "runs"]
    assert "Usage" in designer.hpc("usage").stdout
    assert "Mức sử dụng" in designer.hpc("--lang", "vi", "usage").stdout
    assert designer.hpc("usage", "--waste").code == OK
    path = designer.home / "usage.csv"
    done = designer.hpc("usage", "--by", "month", "-o", str(path))
    assert done.code == OK, done.stderr
    assert next(csv.reader(io.StringIO(path.read_text())))[:2] == ["month", "runs"]


def test_a_statement_is_printed_and_written(designer: Person) -> None:
    done = designer.hpc("statement", "--project", PROJECT, "--json")
    assert done.code == OK, done.stderr
    [money] = [row for row in done.json["tables"][0]["rows"] if row["asset"] == "VND"]
    parts = ("opening", "granted", "moved", "charged", "late", "refunded", "expired")
    assert money["closing"] == sum(money[part] for part in parts)
    assert "Closing" in designer.hpc("statement", "--project", PROJECT).stdout
    path = designer.home / "statement.pdf"
    done = designer.hpc("--lang", "vi", "statement", "--project", PROJECT, "-o", str(path))
    assert done.code == OK, done.stderr
    assert "Sao kê tháng" in PdfReader(path).pages[0].extract_text()


def test_the_balance_comes_with_a_forecast_when_asked(designer: Person) -> None:
    done = designer.hpc("quota", "--project", PROJECT, "--forecast")
    assert done.code == OK, done.stderr
    assert "Runs out on" in done.stdout
    assert set(designer.hpc("quota", "--forecast", "--json").json) == {"balances", "forecasts"}
    assert PROJECT in designer.hpc("quota", "--json").json


def test_what_cannot_be_told_says_why(designer: Person, rival: Person) -> None:
    assert designer.hpc("usage", "--by", "colour").code == REFUSED
    assert designer.hpc("usage", "--since", "yesterday").code == REFUSED
    assert designer.hpc("usage", "-o", "usage.doc").code == USAGE
    assert designer.hpc("statement", "2026-13", "--project", PROJECT).code == REFUSED
    assert rival.hpc("statement", "--project", PROJECT).code == NOT_FOUND
    assert rival.hpc("usage", "--project", PROJECT).code == NOT_FOUND
    assert designer.hpc("usage", "-o", "/nowhere/usage.csv").code == FAILED


def test_the_operator_has_every_report_and_its_files(
    portal_url: str, settings: Settings, tmp_path: Path
) -> None:
    """In this process: starting a program for each would take a minute."""
    everything = (
        ("usage", "--by", "month", "--by", "organisation"),
        ("waste",),
        ("utilisation", "--by", "day"),
        ("forecast", PROJECT),
        ("idle-grants",),
        ("open-data",),
        ("statement", this_month(), "--project", PROJECT),
    )
    environment = {"HPC_PORTAL_STATE_DIR": str(settings.state_dir)}
    for arguments in everything:
        assert runner.invoke(app, [*arguments], env=environment).exit_code == OK, arguments
        for form, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
            path = tmp_path / f"{arguments[0]}.{form}"
            assert runner.invoke(app, [*arguments, "-o", str(path)], env=environment).exit_code == OK
            assert path.read_bytes().startswith(start)


def test_rows_go_to_a_pipe(portal_url: str, settings: Settings) -> None:
    done = report(settings, "rows", "transfers")
    assert done.code == OK, done.stderr
    [*rows] = csv.DictReader(io.StringIO(done.stdout))
    assert {row["kind"] for row in rows} >= {"grant"}
    found = json.loads(report(settings, "rows", "transfers", "--format", "json").stdout)
    assert [row["id"] for row in found] == [int(row["id"]) for row in rows]


def test_the_operator_is_told_what_is_wrong(portal_url: str, settings: Settings) -> None:
    assert report(settings, "usage", "--by", "colour").code == USAGE
    assert report(settings, "usage", "--since", "2026-11-02", "--last", "2026-11-01").code == USAGE
    assert report(settings, "statement", "2026-11", "--project", "nothing").code == FAILED
