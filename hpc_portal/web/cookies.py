"""What a browser remembers of how its reader likes pages, and where a link may send them back to."""

from urllib.parse import urlsplit

from starlette.responses import Response

LOCALE_COOKIE = "locale"
THEME_COOKIE = "theme"
PROJECT_COOKIE = "project"
_YEAR_SECONDS = 365 * 86_400


def remember(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Set a cookie that only says how pages look."""
    response.set_cookie(name, value, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=secure)


def local_path(text: str) -> str:
    """The text when it is a path of this portal, else the start page: no link sends people elsewhere."""
    parts = urlsplit(text)
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if is_local and "\n" not in text and "\r" not in text else "/"
