"""The figures of clusters on the start page: in the page, and in the message that brings it up to date."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hpc_portal.app.cluster_amounts import FreeAmount
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.live_marks import Watched
from hpc_portal.sse import WriteFigures, message
from hpc_portal.web.language import Language
from hpc_portal.web.show_cluster import show_meters
from workloads.template import N_

_PARTS = {"free-now": "home/free_now.html", "in-use": "home/in_use.html"}
"""By the id of the element that holds it, in `home.html`."""
Render = Callable[[str, dict[str, Any]], str]
"""A template and its facts as HTML, in one language."""


@dataclass(frozen=True, slots=True)
class Free:
    """How much of the scarcest thing is free: GPUs where there are any, else CPU cores."""

    label: str
    free: int
    total: int


def figure_facts(figures: ClusterFigures, language: Language) -> dict[str, Any]:
    """What the templates of both parts need."""
    shown = figures.on_start_page
    return {
        "free": _scarcest(shown.free, language),
        "licenses": [(one.name.partition("/")[2], one.free, one.total) for one in shown.licenses],
        "meters": show_meters(shown.used, language),
    }


class FigureMessages:
    """Writes each change once in each language, for all the streams of a process."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[ClusterFigures, bytes]] = {}

    def writer(self, language: Language, render: Render) -> WriteFigures:
        """For one stream; the parts are HTML, so that the page need not know how numbers are written."""

        def write(figures: ClusterFigures) -> bytes:
            kept = self._written.get(language.code)
            if kept is None or kept[0] != figures:
                facts = figure_facts(figures, language)
                parts = {name: render(template, facts) for name, template in _PARTS.items()}
                content = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
                kept = self._written[language.code] = figures, message(Watched.FIGURES, content)
            return kept[1]

        return write


def _scarcest(amounts: Sequence[FreeAmount], language: Language) -> Free:
    gpus = [one for one in amounts if one.name.startswith("gpu:")]
    counted = gpus or amounts[:1]
    label = language.gettext(N_("Free GPUs") if gpus else N_("Free CPU cores"))
    return Free(label, sum(one.free for one in counted), sum(one.total for one in counted))
