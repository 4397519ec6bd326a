"""Takes pictures of every page into docs/screenshots: both languages and themes, wide and phone.

python -m scripts.screenshots            every page, in the four looks below
python -m scripts.screenshots jobs home  only pages whose name contains one of these; the index stays as it is
"""

import base64
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.wiring import build_services
from tests.e2e.web.city import PASSWORD, City, build_city, report_cluster
from tests.e2e.web.every_page import Look, furnish
from tests.e2e.web.serve import served

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
MAX_BYTES = 12 * 1024 * 1024
"""Of all pictures together: they travel with every clone."""
_MAX_HEIGHT = 1600
_WIDE = 821
_WEBP_QUALITY = 46
_SCREEN_HEIGHT = 844
_SETTLE_SECONDS = 10
_SETTLED = """() => !document.querySelector('.htmx-request')
  && [...document.querySelectorAll('[data-names]')].every((signals) => signals.children.length)
  && !document.querySelector('.live[data-is="waiting"]:not([hidden])')"""
_LONGEST_SPOKEN_NAME = 24
_SHOWN_WIDTH = {"wide": 300, "phone": 120}


@dataclass(frozen=True)
class Variant:
    """One of the ways to look at every page; each language, theme and width meets each other once."""

    locale: str
    theme: str
    width: int

    @property
    def screen(self) -> str:
        """How people call a screen of this width."""
        return "phone" if self.width < _WIDE else "wide"

    @property
    def name(self) -> str:
        """As it stands in file names."""
        return f"{self.locale}-{self.theme}-{self.screen}"


VARIANTS = (
    Variant("vi", "light", 1280),
    Variant("en", "dark", 1280),
    Variant("vi", "dark", 390),
    Variant("en", "light", 390),
)


def main(wanted: Sequence[str]) -> None:
    """Build the city, serve it, and take the pictures of the pages that are wanted."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with tempfile.TemporaryDirectory() as state_dir:
        city = build_city(Path(state_dir))
        services = build_services(city.settings)
        looks = furnish(city, services)
        services.commits.close()
        services.engine.dispose()
        named = name_pages(looks, city)
        chosen = {
            name: look for name, look in named.items() if not wanted or any(word in name for word in wanted)
        }
        engine = create_engine(city.settings.effective_database_url)
        with served(city.settings) as portal, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            report = partial(transact, engine, report_cluster)
            titles = {variant: photograph(browser, portal, chosen, variant, report) for variant in VARIANTS}
            browser.close()
        engine.dispose()
    if not wanted:
        current = {picture(name, variant) for name in named for variant in VARIANTS}
        for stale in set(FOLDER.glob("*.webp")) - current:
            stale.unlink()
        (FOLDER / "README.md").write_text(index(titles[Variant("en", "dark", 1280)]), "utf-8")
    size = sum(path.stat().st_size for path in FOLDER.glob("*.webp"))
    print(f"{len(chosen) * len(VARIANTS)} pictures taken; all together {size / 1024 / 1024:.1f} MiB")
    if size > MAX_BYTES:
        sys.exit("That is too much: lower the quality, or crop.")


def name_pages(looks: Sequence[Look], city: City) -> dict[str, Look]:
    """Each with a name of its own: where several people look at a page, the later ones are named, too."""
    named: dict[str, Look] = {}
    for look in looks:
        name = page_name(look, city)
        named[f"{name}-of-{look.user}" if name in named else name] = look
    return named


def page_name(look: Look, city: City) -> str:
    """A name that stays when ids change: a job's own name, else what the route calls the part."""
    jobs = {str(job_id): name for name, job_id in city.jobs.items()}
    address = urlsplit(look.address)
    parts = []
    for route, said in zip(look.route.split("/"), address.path.split("/"), strict=True):
        spoken = said if len(said) <= _LONGEST_SPOKEN_NAME else route.strip("{}").removesuffix("_id")
        parts.append(jobs.get(said, spoken))
    if address.query:
        parts.append("by-column" if look.route == "/reports" else "of-a-file")
    return "-".join(part for part in parts if part) or "home"


def picture(name: str, variant: Variant) -> Path:
    """Where the picture of a page lies."""
    return FOLDER / f"{name}.{variant.name}.webp"


def photograph(
    browser: Browser, portal: str, looks: dict[str, Look], variant: Variant, report: Callable[[], object]
) -> dict[str, str]:
    """Take every page's picture, before which the cluster reports; the pages' titles by name."""
    FOLDER.mkdir(exist_ok=True)
    pages: dict[str | None, Page] = {}
    titles = {}
    for name, look in looks.items():
        if look.user not in pages:
            pages[look.user] = _open(browser, portal, look.user, variant).new_page()
        page = pages[look.user]
        report()
        page.set_viewport_size({"width": variant.width, "height": _SCREEN_HEIGHT})
        answer = page.goto(look.address)
        if not answer or not answer.ok:
            print(f"No picture of {look.address}: it answered {answer and answer.status}")
            continue
        _settle(page)
        height = min(page.evaluate("document.documentElement.scrollHeight"), _MAX_HEIGHT)
        page.set_viewport_size({"width": variant.width, "height": height})
        _write(page, picture(name, variant))
        titles[name] = page.title().partition(" · ")[0]
    for page in pages.values():
        page.context.close()
    return titles


def _open(browser: Browser, portal: str, user: str | None, variant: Variant) -> BrowserContext:
    context = browser.new_context(base_url=portal, reduced_motion="reduce")
    wishes = {"locale": variant.locale, "theme": variant.theme}
    if user:
        form: dict[str, str | float | bool] = {"username": user, "password": PASSWORD}
        context.request.post("/sign-in", form=form, max_redirects=0)
    context.add_cookies([{"name": name, "value": value, "url": portal} for name, value in wishes.items()])
    return context


def _settle(page: Page) -> None:
    """Until the stream is open and nothing is fetched: else no two pictures are alike."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not page.evaluate(_SETTLED) and time.monotonic() < deadline:
        page.wait_for_timeout(50)


def _write(page: Page, path: Path) -> None:
    """By the browser's own WebP encoder, which Playwright does not offer."""
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": _WEBP_QUALITY})
    session.detach()
    path.write_bytes(base64.b64decode(shot["data"]))


def index(titles: dict[str, str]) -> str:
    """The page that shows all of them, made anew each time."""
    lines = [
        "# Every page, as it looks",
        "",
        "Taken by `make screenshots` from the city of the browser tests: Vietnamese and English, light and",
        "dark, 1280 and 390 px wide. Long pages are cut off below.",
    ]
    for name, title in titles.items():
        lines += ["", f"## {name}: {title}", ""]
        for variant in VARIANTS:
            file = picture(name, variant).name
            shown = f'<img src="{file}" width="{_SHOWN_WIDTH[variant.screen]}" alt="{title}, {variant.name}">'
            lines.append(f'<a href="{file}">{shown}</a>')
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main(sys.argv[1:])
