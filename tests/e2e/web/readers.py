"""Who looks at a story: each language, theme and width is one of two people's, so that two runs show all."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page

from hpc_portal.web.language import LOCALES_FOLDER, load_languages
from tests.e2e.web.browser import OpenPage

_LANGUAGES = load_languages()


def _texts() -> Iterator[str]:
    with (LOCALES_FOLDER / "vi" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        for message in read_po(file, locale="vi"):
            yield from [message.id] if isinstance(message.id, str) else message.id


_KNOWN = frozenset(_texts())


@dataclass(frozen=True)
class Reader:
    """How somebody sees pages."""

    locale: str
    theme: str
    width: int

    def __str__(self) -> str:
        return f"{self.locale}-{self.theme}-{self.width}"

    def opens(
        self,
        open_page: OpenPage,
        user: str | None,
        *,
        javascript: bool = True,
        expected: tuple[int, ...] = (),
    ) -> Page:
        """A page of this person's, in this look."""
        return open_page(
            user=user,
            locale=self.locale,
            theme=self.theme,
            width=self.width,
            javascript=javascript,
            expected=expected,
        )

    def says(self, text: str, /, **facts: object) -> str:
        """What pages say to this reader for a text of the catalogue."""
        assert text in _KNOWN, f"no page says: {text}"
        language = _LANGUAGES[self.locale]
        return language.gettext(text, **facts) if facts else language.text(text)

    def vnd(self, amount: int) -> str:
        """So much money, as pages write it for this reader."""
        return _LANGUAGES[self.locale].vnd(amount)

    def number(self, value: float) -> str:
        """A number, as pages write it for this reader."""
        return _LANGUAGES[self.locale].number(value)


AT_DESK = Reader("en", "light", 1280)
ON_PHONE = Reader("vi", "dark", 390)
BOTH = pytest.mark.parametrize("reader", [AT_DESK, ON_PHONE], ids=str)
"""Whoever the story is about."""
