"""The language that a request accepts, for texts that exist in both."""

from starlette.requests import Request

from workloads.site.words import Locale


def accepted_locale(request: Request) -> Locale:
    """Vietnamese for who asks for it first, else English."""
    accepted = request.headers.get("accept-language", "")
    return "vi" if accepted.strip().lower().startswith("vi") else "en"
