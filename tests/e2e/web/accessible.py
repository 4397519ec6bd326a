"""What axe-core finds on a page that keeps somebody from using it."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()


def barriers(page: Page) -> list[Any]:
    """Serious and critical findings: the rule, and each element with why."""
    violations = _AXE.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (one["id"], [(node["html"], node["failureSummary"]) for node in one["nodes"]])
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]
