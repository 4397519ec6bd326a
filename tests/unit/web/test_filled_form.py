"""A submit form as it was filled in: what counts as an edit of the script, and what a button sets."""

import subprocess

import pytest

from hpc_portal.app.jobs.edit_script import Change, compare
from hpc_portal.web.filled_form import EDITED, MADE, Filled, digest
from hpc_portal.web.show_submission import around_changes, show_submission
from workloads.catalog import CATALOG
from workloads.forms import form_fields

LINT = CATALOG["lint"]
MADE_NOW = LINT.script_to_edit()
MADE_BEFORE = MADE_NOW.replace("set -u", "set -eu", 1)


def _filled(text: str, made: str = MADE_NOW, template: str = "lint") -> Filled:
    fields = form_fields(CATALOG[template].parameters)
    return Filled(CATALOG[template], template, fields, [(EDITED, text), (MADE, digest(made))])


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (MADE_NOW, MADE_NOW),
        (MADE_NOW.replace("\n", "\r\n"), MADE_NOW),
        (MADE_BEFORE, MADE_BEFORE),
        ("", MADE_NOW),
    ],
    ids=["untouched", "a browser's line ends", "the template changed since", "emptied"],
)
def test_what_nobody_touched_is_no_edit(text: str, made: str) -> None:
    assert _filled(text, made).request(key=None).script is None


def test_an_edit_goes_along_and_only_where_the_template_allows_it() -> None:
    edited = MADE_NOW + "echo done\n"
    assert _filled(edited).request(key=None).script == edited
    assert _filled(edited, template="gpu-health").request(key=None).script is None


def test_what_a_button_sets_replaces_every_control_of_that_name() -> None:
    filled = _filled(MADE_NOW).changed([("resources.cpus", "2")]).changed([("resources.cpus", "4")])
    assert filled.value("resources.cpus") == "4"
    assert filled.parameters["resources"]["cpus"] == "4"


def test_lines_far_from_a_change_are_only_counted() -> None:
    before = "".join(f"line {number}\n" for number in range(40))
    shown = list(around_changes(compare(before, before.replace("line 20", "other"))))
    assert [line.skipped for line in shown if line.skipped] == [17, 16]
    assert [line.text for line in shown if line.change is not Change.SAME] == ["line 20", "other"]


def test_the_command_carries_the_edited_script_word_for_word() -> None:
    edited = MADE_NOW + "cat <<SCRIPT\n$HOME `id`\nSCRIPT\n"
    command = show_submission(_filled(edited), project="p", address="https://portal").command
    ran = subprocess.run(
        ["bash", "-c", f"hpc() {{ cat; }}\n{command}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == edited
