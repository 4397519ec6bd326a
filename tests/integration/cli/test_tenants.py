"""Tenants from a terminal: a teacher's class, invitations, and what the operator suspends."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Person, signed_in
from tests.integration.cli.test_operator import operator
from tests.integration.cli.test_user import NOT_FOUND, OK, REFUSED, USAGE

pytestmark = pytest.mark.xdist_group("cli-tenants")

COURSE = "dsac-rtl"


@pytest.fixture(scope="module")
def teacher(portal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return signed_in(Person(tmp_path_factory.mktemp("teacher"), portal_url, "thao"))


def test_a_class_is_made_shown_changed_and_ended(teacher: Person, rival: Person, tmp_path: Path) -> None:
    students = tmp_path / "class.csv"
    students.write_text("email;vnd\nsv1@dsac.example.vn;\nsv2@dsac.example.vn;30.000\n")
    each = ("--each", "VND=10000", "--each", "cpu=10")
    command = ("class", "make", COURSE, "--name", "RTL 1", "--students", str(students), *each)
    made = teacher.hpc(*command, "--key", "rtl-1", "--json")
    assert made.code == OK, made.stderr
    assert teacher.hpc(*command, "--key", "rtl-1", "--json").json["is_new"] is False
    class_id = made.json["id"]
    first, second = (seat["account"] for seat in made.json["seats"])
    shown = teacher.hpc("class", "show", class_id, "--json").json
    assert [seat["by_asset"]["VND"]["granted"] for seat in shown["seats"]] == [10_000, 30_000]
    assert "sv2@dsac.example.vn" in teacher.hpc("class", "show", class_id).stdout
    assert class_id in teacher.hpc("class", "list", COURSE).stdout

    assert teacher.hpc("class", "give", class_id, first, "VND=5000").code == OK
    assert teacher.hpc("class", "take", class_id, second, "VND=1.000.000").code == REFUSED
    taken = teacher.hpc("class", "take", class_id, second)
    assert "30.000" in taken.stderr
    assert teacher.hpc("class", "take", class_id, second, "VND=-1").code == USAGE
    assert rival.hpc("class", "show", class_id).code == NOT_FOUND

    each = ("--each", "VND=7", "--each", "cpu=1")
    late = teacher.hpc("class", "add", class_id, "--students", "-", *each, stdin="sv3@dsac.vn\n")
    assert "sv3@dsac.vn" in late.stdout
    assert teacher.hpc("class", "remove", class_id, second).code == OK
    over = teacher.hpc("class", "end", class_id)
    assert "15.007" in over.stderr
    assert teacher.hpc("class", "give", class_id, first, "VND=1").code == REFUSED


def test_people_are_invited_listed_and_invitations_revoked(teacher: Person, rival: Person) -> None:
    sent = teacher.hpc("invite", "lan@dsac.example.vn", "--project", COURSE, "--json")
    assert sent.code == OK, sent.stderr
    (invited,) = sent.json
    assert "/invitations/" in invited["link"]
    assert "lan@dsac.example.vn" in teacher.hpc("invitations", "list", "--project", COURSE).stdout
    assert teacher.hpc("invitations", "revoke", invited["id"]).code == OK
    assert teacher.hpc("invitations", "resend", invited["id"]).code == NOT_FOUND
    assert rival.hpc("invite", "a@b.vn", "--project", COURSE).code == NOT_FOUND
    assert teacher.hpc("invite", "a@b.vn").code == USAGE
    assert teacher.hpc("members", "list", "--project", COURSE, "--json").json[0]["username"] == "thao"


def test_the_operator_suspends_and_resumes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for command in (
        ("db", "upgrade"),
        ("org", "add", "dut", "--name", "DUT", "--kind", "university"),
        ("project", "add", "dut-ai", "--org", "dut", "--name", "AI"),
        ("org", "suspend", "dut", "--reason", "An invoice is overdue."),
        ("project", "suspend", "dut-ai", "--reason", "The same.", "--jobs", "cancel_all"),
        ("project", "resume", "dut-ai"),
    ):
        done = operator(state, *command)
        assert done.code == 0, (command, done.stderr)
    (listed,) = operator(state, "org", "list", "--json").json
    assert (listed["slug"], listed["state"], listed["projects"]) == ("dut", "suspended", 1)
    assert operator(state, "org", "suspend", "dut", "--reason", " ").code == 1
    assert operator(state, "org", "close", "dut", "--reason", "over").code == 0
    final = operator(state, "org", "resume", "dut")
    assert (final.code, "for good" in final.stderr) == (1, True)
    link = operator(state, "invite", "lan@dut.vn", "--org", "dut")
    assert (link.code, "closed for good" in link.stderr) == (1, True)
