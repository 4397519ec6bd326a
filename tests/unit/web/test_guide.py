"""The guide as pages: both languages have the same parts, and every question mark leads to one."""

import re

import pytest

from hpc_portal.web.guide import load_guide
from hpc_portal.web.help_places import PLACES, help_for
from hpc_portal.web.pages import ROUTERS
from hpc_portal.web.render import TEMPLATES


def test_both_languages_have_the_same_parts_and_nothing_is_left_as_markup() -> None:
    english, vietnamese = load_guide("en"), load_guide("vi")
    assert [part.anchor for part in english.parts] == [part.anchor for part in vietnamese.parts]
    assert len(english.parts) > 20
    for part in (*english.parts, *vietnamese.parts):
        assert part.html.startswith("<")
        assert "&lt;img" not in part.html
        assert "\n|" not in part.html, "a table that is none"
        assert "<script" not in part.html


def test_a_comment_in_code_is_no_heading() -> None:
    assert all(not part.title.startswith("by ") for part in load_guide("en").parts)


def test_every_question_mark_leads_to_a_part_of_the_guide() -> None:
    anchors = {part.anchor for part in load_guide("en").parts}
    assert {part for _, part in PLACES} <= anchors
    assert help_for("/jobs/1/log") == "/help/guide/watch"
    assert help_for("/admin/prices/end-rules") == "/help/guide/who-pays-for-which-end"
    assert help_for("/jobsuite") == help_for("/") == "/help"


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_links_to_help_lead_somewhere(path) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - a Path
    anchors = {part.anchor for part in load_guide("en").parts}
    for part in re.findall(r'"/help/guide/([a-z-]+)"', path.read_text("utf-8")):
        assert part in anchors


def test_the_pages_that_question_marks_stand_on_exist() -> None:
    paths = {route.path for module in ROUTERS for route in module.router.routes}
    assert {place for place, _ in PLACES if place not in {"/organisations", "/projects", "/classes"}} <= paths
