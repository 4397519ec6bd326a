"""The figures of clusters on the start page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpc_portal.app.cluster_amounts import FreeAmount
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.web.language import Language
from hpc_portal.web.show_cluster import show_meters
from workloads.template import N_

FIGURE_PARTS = {"free-now": "home/free_now.html", "in-use": "home/in_use.html"}
"""By the id of the element that holds it, in `home.html`."""


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


def _scarcest(amounts: Sequence[FreeAmount], language: Language) -> Free:
    gpus = [one for one in amounts if one.name.startswith("gpu:")]
    counted = gpus or amounts[:1]
    label = language.gettext(N_("Free GPUs") if gpus else N_("Free CPU cores"))
    return Free(label, sum(one.free for one in counted), sum(one.total for one in counted))
