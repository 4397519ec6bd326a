"""The user guide as pages: docs/guide in both languages, cut into its parts, with what Markdown has there."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from hpc_portal.app.search import fold

_IN_THE_WHEEL = Path(__file__).parent / "guide"
_IN_THE_SOURCE = Path(__file__).parents[2] / "docs" / "guide"
_HEADING = re.compile(r"##? (.+)")
_PICTURE = re.compile(r"^<img [^>]*>$", re.MULTILINE)
_OTHER_LANGUAGE = re.compile(r'href="(vi|en)\.md"')


@dataclass(frozen=True, slots=True)
class GuidePart:
    """What stands under one heading of the second level."""

    anchor: str
    """The same in every language: from the English heading."""
    title: str
    html: str
    text: str
    """Folded, for the search."""


@dataclass(frozen=True, slots=True)
class Guide:
    """The guide in one language."""

    title: str
    parts: tuple[GuidePart, ...]

    def part(self, anchor: str) -> GuidePart | None:
        """None: there is no such part."""
        return next((part for part in self.parts if part.anchor == anchor), None)

    def around(self, part: GuidePart) -> tuple[GuidePart | None, GuidePart | None]:
        """The part before it and the one after it."""
        place = self.parts.index(part)
        before = self.parts[place - 1] if place else None
        return before, (self.parts[place + 1] if place + 1 < len(self.parts) else None)


@cache
def load_guide(language: str) -> Guide:
    """The guide in Vietnamese or English; read and rendered once in a process."""
    folder = _IN_THE_WHEEL if _IN_THE_WHEEL.is_dir() else _IN_THE_SOURCE
    english = _cut((folder / "en.md").read_text("utf-8"))
    own = _cut((folder / f"{language}.md").read_text("utf-8"))
    anchors = [anchor_of(heading) for heading, _ in english[1:]]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    parts = tuple(
        GuidePart(anchor, heading.replace("`", ""), _render(markdown, body), fold(f"{heading} {body}"))
        for anchor, (heading, body) in zip(anchors, own[1:], strict=True)
    )
    return Guide(own[0][0], parts)


def _cut(text: str) -> list[tuple[str, str]]:
    """Headings of the first and second level with what follows each; a `#` in code is a comment."""
    found: list[tuple[str, list[str]]] = []
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        heading = None if in_code else _HEADING.match(line)
        if heading:
            found.append((heading[1].strip(), []))
        elif found:
            found[-1][1].append(line)
    return [(heading, "\n".join(lines).strip()) for heading, lines in found]


def anchor_of(heading: str) -> str:
    """`ask-for-quota`."""
    return re.sub(r"[^a-z0-9]+", "-", fold(heading)).strip("-")


def _render(markdown: MarkdownIt, body: str) -> str:
    """Tables and code can be scrolled, also by the keyboard, where the screen is narrow. Without pictures."""
    html: str = markdown.render(_PICTURE.sub("", body))
    html = html.replace("<table>", '<div class="table-box" tabindex="0"><table class="prose-table">')
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return _OTHER_LANGUAGE.sub(r'href="/language/\1?next=/help/guide"', html)
