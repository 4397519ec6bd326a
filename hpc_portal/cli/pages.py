"""Read a list page by page."""

from collections.abc import Iterator
from typing import Any

from hpc_portal.cli.portal import Portal

_PAGE = 200


def read_pages(portal: Portal, path: str, /, *, most: int, **filters: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - query values
    """Items in the list's order, at most so many; asks for the next page only when it is needed."""
    cursor: str | None = None
    left = most
    while left > 0:
        page = portal.get(path, cursor=cursor, limit=min(_PAGE, left), **filters)
        yield from page["items"]
        left -= len(page["items"])
        cursor = page.get("next_cursor")
        if not cursor:
            return
