"""A template's script edited by hand: what may be, and what is said to differ."""

import pytest

from hpc_portal.app.errors import InvalidSubmission
from hpc_portal.app.jobs.edit_script import MOST_CHARACTERS, Change, compare, edited_spec, notes_on
from workloads.catalog import CATALOG

LINT = CATALOG["lint"]
MADE = LINT.render(LINT.validate({}))
SCRIPT = MADE.script or ""


def test_every_line_of_both_is_told_in_order_the_old_before_the_new() -> None:
    lines = compare("#!/bin/bash\nmake\nrun\n", "#!/bin/bash\nmodule load vcs\nmake -j\nrun\n")
    assert [(line.change, line.text, line.number) for line in lines] == [
        (Change.SAME, "#!/bin/bash", 1),
        (Change.REMOVED, "make", None),
        (Change.ADDED, "module load vcs", 2),
        (Change.ADDED, "make -j", 3),
        (Change.SAME, "run", 4),
    ]


def test_the_edited_script_runs_and_all_else_stays() -> None:
    text = SCRIPT.replace("set -u", "module load verilator\nset -u", 1)
    spec = edited_spec(LINT, MADE, text)
    assert spec.script == text
    assert spec.model_copy(update={"script": SCRIPT}) == MADE


@pytest.mark.parametrize(
    "text", [None, SCRIPT, SCRIPT.replace("\n", "\r\n"), SCRIPT.rstrip("\n"), SCRIPT + "\n\n"]
)
def test_what_a_browser_makes_of_the_same_script_is_no_edit(text: str | None) -> None:
    assert edited_spec(LINT, MADE, text) is MADE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "#!"),
        ("echo hello\n", "#!"),
        ("#!/bin/bash\necho \0\n", "NUL"),
        ("#!/bin/bash\n" + "x" * MOST_CHARACTERS, "characters"),
    ],
)
def test_a_script_that_nothing_could_start_is_refused_at_its_field(text: str, says: str) -> None:
    with pytest.raises(InvalidSubmission, match=says) as refused:
        edited_spec(LINT, MADE, text)
    assert {problem.field for problem in refused.value.problems} == {"script"}


@pytest.mark.parametrize("name", ["script", "gpu-health"])
def test_a_fixed_script_is_refused_with_its_reason(name: str) -> None:
    template = CATALOG[name]
    made = template.render(template.validate({}))
    with pytest.raises(InvalidSubmission) as refused:
        edited_spec(template, made, "#!/bin/sh\ntrue\n")
    assert [problem.text for problem in refused.value.problems] == [template.fixed_script]
    assert edited_spec(template, made, made.script) is made


def test_header_lines_of_an_edited_script_are_said_to_be_comments() -> None:
    spec = edited_spec(LINT, MADE, SCRIPT.replace("\n", "\n#SBATCH --time=9:00:00\n", 1))
    assert spec.resources == MADE.resources
    assert [note.field for note in notes_on(spec)] == ["script"]
    assert list(notes_on(MADE)) == []
