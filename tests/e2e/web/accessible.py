"""What axe-core finds on a page that keeps somebody from using it."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

_FIND = """async () => {
    const { violations } = await axe.run({ resultTypes: ['violations'], preload: false })
    return violations
        .filter(one => ['serious', 'critical'].includes(one.impact))
        .map(one => [one.id, one.nodes.map(node => [node.html, node.failureSummary])])
}"""
"""`preload` would fetch every style sheet again, for a rule that is off."""


def bring_axe(page: Page) -> None:
    """Once for a page that is looked at at many addresses: half a megabyte is not sent anew for each."""
    page.add_init_script(AXE_SCRIPT)


def barriers(page: Page) -> list[Any]:
    """Serious and critical findings: the rule, and each element with why."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return list(page.evaluate(_FIND))
