"""What a stream tells as it is to be shown: parts of the page as HTML by their ids, and what is left."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.live_marks import Drawn, Left, Watched
from hpc_portal.sse import WriteDrawn, message
from hpc_portal.web.language import Language
from hpc_portal.web.show_figures import FIGURE_PARTS, figure_facts

_TROUBLE_PARTS = {"troubles": "troubles.html"}
"""By the id of the element that holds it, in `page.html`."""
Render = Callable[[str, dict[str, Any]], str]
"""A template and its facts as HTML, in one language."""


class LiveMessages:
    """Writes each change once in each language, for all the streams of a process."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, Watched], tuple[Drawn, bytes]] = {}

    def writer(self, language: Language, render: Render) -> WriteDrawn:
        """For one stream; it tells words and HTML, so that the page need not know how numbers are written."""

        def write(mark: Drawn) -> bytes:
            match mark:
                case Left():
                    return _message(Watched.BALANCE, {"left": language.vnd(mark.vnd)})
                case ClusterFigures():
                    kind, parts, facts = Watched.FIGURES, FIGURE_PARTS, figure_facts(mark, language)
                case _:
                    kind, parts, facts = Watched.TROUBLES, _TROUBLE_PARTS, {"troubles": mark}
            kept = self._written.get((language.code, kind))
            if kept is None or kept[0] != mark:
                drawn = {name: render(template, facts) for name, template in parts.items()}
                kept = self._written[language.code, kind] = mark, _message(kind, drawn)
            return kept[1]

        return write


def _message(kind: Watched, content: Mapping[str, str]) -> bytes:
    return message(kind, json.dumps(content, ensure_ascii=False, separators=(",", ":")))
