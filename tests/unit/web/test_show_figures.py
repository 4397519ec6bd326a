"""Figures of clusters: the stream says to the letter what the page says, each change is written once."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from hpc_portal.app.cluster_amounts import FreeAmount, count_free, count_used
from hpc_portal.app.home.cluster_figures import LICENSES_SHOWN, ClusterFigures
from hpc_portal.web.assets import Assets
from hpc_portal.web.language import load_languages
from hpc_portal.web.live_messages import LiveMessages
from hpc_portal.web.render import TEMPLATES, Pages
from hpc_portal.web.show_figures import figure_facts
from schedulers.cluster import Node, NodeState

PAGES = Pages(Assets(), default_locale="vi")
LANGUAGES = load_languages()
NODES = tuple(
    Node(
        name,
        state,
        cpus=6_400,
        memory_mib=3 * 512 * 1024,
        gpus={"h100": 1_250},
        allocated_cpus=1_200,
        allocated_memory_mib=512 * 1024,
        allocated_gpus={"h100": 100},
        reason=reason,
    )
    for name, state, reason in (
        ("dn-gpu01", NodeState.UP, ""),
        ("dn-gpu02", NodeState.DRAINING, "Thay quạt"),
        ("dn-gpu03", NodeState.DOWN, "Mất điện"),
    )
)
LICENSES = tuple(FreeAmount(f"license/<tool{number}>", 5, 1_008) for number in range(LICENSES_SHOWN))
FIGURES = ClusterFigures(count_free(NODES), count_used(NODES), LICENSES)


def told(figures: ClusterFigures, code: str) -> dict[str, str]:
    """What the browser gets, as it reads a message."""
    language = LANGUAGES[code]
    written = LiveMessages().writer(language, lambda *what: PAGES.fragment(language, *what))(figures)
    event, data, *rest = written.decode().split("\n")
    assert (event, rest) == ("event: figures", ["", ""])
    parts: dict[str, str] = json.loads(data.removeprefix("data: "))
    return parts


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_numbers_are_written_as_the_language_writes_them() -> None:
    vi, en = told(FIGURES, "vi"), told(FIGURES, "en")
    assert words(vi["free-now"]).endswith("1.150 / 2.500"), "nothing is free on a node that is draining"
    assert words(en["free-now"]) == "Free GPUs 1,150 / 2,500"
    assert "CPU 2.400 / 12.800" in words(vi["in-use"])
    assert "1 TiB / 3 TiB GPU H100 200 / 2,500" in words(en["in-use"])


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_the_page_holds_to_the_letter_what_the_stream_sends(code: str) -> None:
    """The page includes these templates in the elements that the message names, with the same facts."""
    language, home = LANGUAGES[code], (TEMPLATES / "home.html").read_text()
    places = dict(re.findall(r'id="([\w-]+)" data-drawn>\{% include \'([\w/.]+)\' %\}<', home))
    facts: dict[str, Any] = figure_facts(FIGURES, language)
    assert told(FIGURES, code) == {
        name: PAGES.fragment(language, template, facts) for name, template in places.items()
    }
    assert len(places) == 2


def test_neither_names_nor_notes_of_nodes_are_told_and_text_is_no_html() -> None:
    for code in LANGUAGES:
        parts = "".join(told(FIGURES, code).values())
        assert not re.search(r"dn-gpu|Thay|Mất điện|<tool", parts)
        assert "&lt;tool0&gt;" in parts


def test_before_a_cluster_has_reported_the_page_says_so() -> None:
    assert words(told(ClusterFigures(count_free(()), (), ()), "en")["in-use"]) == (
        "The cluster has not reported yet."
    )


def test_a_thousand_streams_have_each_change_written_once_in_each_language() -> None:
    messages = LiveMessages()
    rendered: list[tuple[str, str]] = []

    def write(code: str, figures: ClusterFigures) -> bytes:
        def render(template: str, facts: dict[str, Any]) -> str:
            rendered.append((code, template))
            return PAGES.fragment(LANGUAGES[code], template, facts)

        return messages.writer(LANGUAGES[code], render)(figures)

    busy = replace(FIGURES, free=count_free(NODES[1:]))
    for figures in (FIGURES, busy):
        for code in ("vi", "en"):
            assert len({id(write(code, figures)) for _ in range(1000)}) == 1
    templates = {"home/free_now.html", "home/in_use.html"}
    assert sorted(rendered) == sorted((code, one) for code in ("vi", "en") for one in templates for _ in "ab")


def test_a_license_for_which_there_is_no_room_changes_nothing_there() -> None:
    more = replace(FIGURES, licenses=(*LICENSES, FreeAmount("license/zoom", 1, 2)))
    taken = replace(FIGURES, licenses=(*LICENSES, FreeAmount("license/zoom", 0, 2)))
    assert more != taken
    assert more.on_start_page == taken.on_start_page
