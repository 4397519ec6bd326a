"""Quota asked for and granted from a terminal, against a real portal."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hpc_portal.app import demo as city
from hpc_portal.app.tables import GlobalRole, ProjectRole
from schedulers.units import CITY_TIME
from tests.integration.cli.conftest import Person, signed_in
from tests.integration.cli.test_user import NOT_FOUND, OK, REFUSED, USAGE

pytestmark = pytest.mark.xdist_group("cli-requests")

HOUR = 3600


def day(number: int) -> str:
    """So many days from today, as the city counts them."""
    return (datetime.now(CITY_TIME) + timedelta(days=number)).date().isoformat()


@pytest.fixture(scope="module")
def lead(portal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    [name] = [p.username for p in city.PEOPLE if p.project == "dut-ai" and p.project_role is ProjectRole.LEAD]
    return signed_in(Person(tmp_path_factory.mktemp("lead"), portal_url, name))


@pytest.fixture(scope="module")
def chief(portal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    [name] = [p.username for p in city.PEOPLE if p.global_role is GlobalRole.ADMINISTRATOR]
    return signed_in(Person(tmp_path_factory.mktemp("chief"), portal_url, name))


def test_asked_questioned_answered_and_granted_a_part(lead: Person, chief: Person, tmp_path: Path) -> None:
    chief.hpc("notices", "--read")
    lead.hpc("notices", "--read")
    made = lead.hpc(
        *("request", "draft", "--project", "dut-ai", "--kind", "surge", "--ask", "cpu=120.5"),
        *("--ask", "VND=3.000.000", "--until", day(20), "--from", day(0)),
        *("--purpose", "A sweep before the paper's deadline.", "--why", "cpu=240 runs of half an hour"),
        "--json",
    )
    assert made.code == OK, made.stderr
    request_id = made.json["id"]
    assert {line["asset"]: line["asked"] for line in made.json["lines"]} == {
        "cpu": 120 * HOUR + 1800,
        "VND": 3_000_000,
    }
    plan = tmp_path / "plan.txt"
    plan.write_text("the plan")
    for _ in range(2):
        assert lead.hpc("request", "attach", request_id, str(plan)).code == OK
    assert lead.hpc("request", "detach", request_id, "plan.txt").code == OK
    assert lead.hpc("request", "detach", request_id, "other.txt").code == NOT_FOUND
    assert lead.hpc("request", "submit", request_id).code == OK
    assert "asks for quota" in chief.hpc("notices", "--read").stdout

    assert request_id in {item["id"] for item in chief.hpc("request", "inbox", "--json").json}
    assert "Still promisable" in chief.hpc("request", "outlook", request_id).stdout
    assert chief.hpc("request", "return", request_id, "-m", "Which paper?").code == OK
    assert lead.hpc("request", "submit", request_id).code == REFUSED, "the question is not answered"
    assert lead.hpc("request", "edit", request_id, "--ask", "VND=0").code == OK
    assert lead.hpc("request", "submit", request_id[-12:], "-m", "The one on placement.").code == OK

    folder = tmp_path / "got"
    folder.mkdir()
    assert chief.hpc("request", "download", request_id, "--to", str(folder)).code == OK
    assert (folder / "plan.txt").read_text() == "the plan"
    before = lead.hpc("quota", "--json", "--project", "dut-ai").json["dut-ai"]["by_asset"]["cpu"]["granted"]
    done = chief.hpc("request", "approve", request_id, "--grant", "cpu=100", "-m", "It is a busy month.")
    assert (done.code, "partly approved" in done.stdout) == (OK, True), done.stderr
    after = lead.hpc("quota", "--json", "--project", "dut-ai").json["dut-ai"]["by_asset"]["cpu"]["granted"]
    assert after - before == 100 * HOUR
    shown = lead.hpc("request", "show", request_id).stdout
    assert "100 CPU-hours" in shown
    assert "It is a busy month." in shown
    assert "duyệt một phần" in lead.hpc("--lang", "vi", "request", "list").stdout
    late = chief.hpc("request", "deny", request_id, "-m", "Too late.")
    assert (late.code, "partly approved since" in late.stderr) == (REFUSED, True)


def test_a_refused_job_names_the_command_that_asks_for_the_rest(lead: Person) -> None:
    refused = lead.hpc(
        *("submit", "--project", "dut-ai", "--cpus", "4", "--time", "6-00:00:00"),
        *("--array", "1-9000", lead.script("true")),
    )
    assert refused.code == REFUSED, refused.stderr
    lines = [text for text in refused.stderr.splitlines() if "hpc request for-shortage" in text]
    assert len(lines) == 1, refused.stderr
    command = lines[0].partition("hpc ")[2].split()
    made = lead.hpc(*command, "--purpose", "the whole sweep at once", "--json")
    assert made.code == OK, made.stderr
    assert (made.json["state"], made.json["kind"]) == ("draft", "increase")
    assert lead.hpc("request", "withdraw", made.json["id"]).code == OK


def test_what_makes_no_sense_is_said(lead: Person, rival: Person, designer: Person) -> None:
    ask = ("request", "draft", "--project", "dut-ai", "--until", day(9), "--from", day(0))
    assert lead.hpc(*ask, "--ask", "cpu=many").code == USAGE
    assert lead.hpc(*ask, "--ask", "cpu").code == USAGE
    assert lead.hpc(*ask, "--ask", "gres/gpu:b300=5").code == REFUSED
    assert lead.hpc("request", "draft", "--project", "dut-ai", "--until", "soon").code == USAGE
    assert rival.hpc(*ask, "--ask", "cpu=5").code == NOT_FOUND
    assert designer.hpc("request", "draft", "--project", "songhan-fifo", "--ask", "cpu=5").code == REFUSED
    assert lead.hpc("request", "show", "ffffffffff").code == NOT_FOUND
    assert lead.hpc("request", "inbox").code == REFUSED
