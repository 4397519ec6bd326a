"""What tests ask the browser fixture for."""

from typing import Protocol

from playwright.sync_api import Page


class OpenPage(Protocol):
    """Opens a browser page; `expected` lists statuses of answers that the browser will complain about."""

    def __call__(  # noqa: PLR0913 - all by keyword
        self,
        *,
        user: str | None = "linh",
        locale: str = "vi",
        theme: str = "light",
        width: int = 1280,
        javascript: bool = True,
        expected: tuple[int, ...] = (),
    ) -> Page: ...
