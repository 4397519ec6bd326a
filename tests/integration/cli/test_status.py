"""What goes on, on a terminal: announcements, budgets and charges, and what waits for the operator."""

from datetime import datetime, timedelta

import pytest

from hpc_portal.app.settings import Settings
from hpc_portal.cli.exits import Exit
from schedulers.units import CITY_TIME
from tests.integration.cli.conftest import Person
from tests.integration.cli.test_operator import operator

pytestmark = pytest.mark.xdist_group("cli-tenants")

MADE = ("announce", "make", "--vi", "Bảo trì tối nay.", "--en", "Maintenance tonight.", "--key", "tonight")


def test_what_the_operator_announces_stands_in_everybodys_status(
    settings: Settings, designer: Person
) -> None:
    state = settings.state_dir
    too_long = operator(state, "--lang", "vi", *MADE, "--until", "2090-01-01 06:00")
    assert (too_long.code, "Chỉ hiện được tối đa một năm." in too_long.stderr) == (1, True), too_long.stderr
    assert operator(state, *MADE, "--until", "tomorrow").code == Exit.USAGE
    until = f"{datetime.now(CITY_TIME) + timedelta(days=2):%Y-%m-%d %H:%M}"
    made = operator(state, *MADE, "--until", until)
    assert made.code == Exit.OK, made.stderr
    assert operator(state, *MADE, "--until", until).stdout == made.stdout
    assert "Maintenance tonight." in designer.hpc("status").stdout
    assert "Bảo trì tối nay." in designer.hpc("--lang", "vi", "status").stdout
    told = designer.hpc("status", "--json").json
    assert [one["account"] for one in told["projects"]] == ["songhan-fifo"]
    [listed] = operator(state, "announce", "list", "--json").json
    assert (listed["standing"], listed["id"]) == ("in_force", made.stdout.strip())
    assert operator(state, "announce", "withdraw", listed["id"]).code == Exit.OK
    assert "Maintenance tonight." not in designer.hpc("status").stdout


def test_charges_are_those_of_ones_own_projects(designer: Person, rival: Person) -> None:
    submitted = designer.hpc("submit", designer.script("true"), "--wait", "--json")
    assert submitted.code == Exit.OK, submitted.stderr
    found = designer.hpc("charges", "songhan-fifo", "--json").json["items"]
    assert all(sum(line["list_vnd"] for line in one["lines"]) == one["list_vnd"] for one in found)
    assert designer.hpc("charges", "songhan-fifo").code == Exit.OK
    assert rival.hpc("charges", "songhan-fifo").code == Exit.NOT_FOUND


def test_prices_are_told_for_any_day(designer: Person) -> None:
    today = f"{datetime.now(CITY_TIME):%Y-%m-%d}"
    assert [one["version"] for one in designer.hpc("prices", "--on", today, "--json").json["lists"]] == [1]
    assert designer.hpc("prices", "--on", "2020-01-01").code == Exit.NOT_FOUND
    assert designer.hpc("prices", "--on", "yesterday").code == Exit.USAGE


def test_what_waits_is_told_with_a_code_for_watchdogs(settings: Settings, designer: Person) -> None:
    del designer  # its city has requests that wait
    told = operator(settings.state_dir, "attention", "--json")
    assert told.code == Exit.FAILED
    counts = {one["matter"]: one["count"] for one in told.json["waiting"]}
    assert counts["requests"] >= 1
    assert "đề nghị cấp hạn mức" in operator(settings.state_dir, "--lang", "vi", "attention").stdout
