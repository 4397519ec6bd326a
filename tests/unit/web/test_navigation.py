"""The menu: who finds what in it, and that each page is marked where the reader is."""

import re
from dataclasses import replace
from uuid import UUID

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import GlobalRole, OrganisationRole, ProjectRole
from hpc_portal.web.assets import FOLDER
from hpc_portal.web.navigation import ENTRIES, Group, menu

MEMBER = Actor(
    user_id=UUID(int=1),
    username="lan",
    display_name="Lan",
    cluster_user="lan",
    cluster_number=1,
    organisations={UUID(int=2): OrganisationRole.MEMBER},
    projects={UUID(int=3): ProjectRole.MEMBER},
    project_organisations={UUID(int=3): UUID(int=2)},
)


def hrefs(actor: Actor, path: str = "/") -> list[str]:
    return [link.href for part in menu(actor, path) for link in part.links]


def test_no_page_is_there_twice() -> None:
    assert len({entry.href for entry in ENTRIES}) == len(ENTRIES)


def test_every_icon_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (FOLDER / "vendor" / "icons.svg").read_text()))
    assert {entry.icon for entry in ENTRIES} <= sprite


def test_a_member_finds_nothing_of_the_administrators() -> None:
    parts = menu(MEMBER, "/")
    assert Group.ADMINISTRATION not in [part.heading for part in parts]
    assert not [href for href in hrefs(MEMBER) if href.startswith("/admin")]


@pytest.mark.parametrize("role", list(GlobalRole))
def test_those_who_see_the_city_find_all_of_it(role: GlobalRole) -> None:
    assert set(hrefs(replace(MEMBER, global_role=role))) == {entry.href for entry in ENTRIES}


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", ["/"]),
        ("/jobs/0199/log", ["/jobs"]),
        ("/requests/new", ["/requests"]),
        ("/requests/inbox", ["/requests/inbox"]),
        ("/jobsite", []),
    ],
)
def test_the_page_that_the_reader_is_on_is_marked_and_no_other(path: str, current: list[str]) -> None:
    chief = replace(MEMBER, global_role=GlobalRole.ADMINISTRATOR)
    assert [link.href for part in menu(chief, path) for link in part.links if link.is_current] == current


def test_a_small_screen_has_room_for_what_its_bar_shows() -> None:
    assert sum(entry.on_phone for entry in ENTRIES) == 4
