"""Rules that no page may break: nothing inline, no dead class, no missing icon, no old htmx spelling."""

import re
from pathlib import Path

import pytest

from hpc_portal.web.assets import FOLDER, Assets
from hpc_portal.web.language import load_languages
from hpc_portal.web.render import TEMPLATES, build_environment

PAGES = sorted(TEMPLATES.rglob("*.html"))
IDS = [str(path.relative_to(TEMPLATES)) for path in PAGES]
MODULES = sorted((FOLDER / "js").glob("*.js"))
LANGUAGES = load_languages()
WEB = Path(__file__).parents[3] / "hpc_portal" / "web"

HOOKS = {"tick-all", "more-row"}
"""Classes that only JavaScript looks for."""


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_nothing_is_inline(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_htmx_is_spelled_as_version_4_wants(path: Path) -> None:
    assert not re.search(r"hx-ext|sse-swap|sse-connect|hx-disable|hx-vars|hx-params", path.read_text())


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_forms_that_change_something_carry_the_token(path: Path) -> None:
    for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(), flags=re.DOTALL):
        assert "csrf()" in form


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_every_template_compiles(path: Path) -> None:
    build_environment(LANGUAGES["vi"], Assets(), LANGUAGES).get_template(str(path.relative_to(TEMPLATES)))


def test_every_class_is_in_a_stylesheet() -> None:
    styles = "".join(path.read_text() for path in (*FOLDER.glob("*.css"), FOLDER / "vendor" / "tabler.css"))
    known = set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", styles)) | HOOKS
    for path in PAGES:
        for classes in re.findall(r'class="([^"]*)"', path.read_text()):
            plain = re.sub(r"\{[%{].*?[%}]\}", " ", re.sub(r"[\w-]*\{\{.*?\}\}[\w-]*", " ", classes))
            assert set(plain.split()) <= known, f"{path.name}: run scripts/vendor_assets.mjs"


def test_text_has_two_weights() -> None:
    """Chromium looks for the file of each weight while it lays out a page."""
    for path in FOLDER.glob("*.css"):
        weights = re.findall(r"font-weight[a-z-]*: ([^;}]+)|font: (\d+)", path.read_text())
        assert {"".join(weight) for weight in weights} <= {"400", "600"}, path.name


def test_every_icon_is_in_the_sprite() -> None:
    sprite = (FOLDER / "vendor" / "icons.svg").read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = set()
    for path in PAGES:
        for call in re.findall(r"(?:icon|empty)\(([^)]*)\)", path.read_text()):
            used |= set(re.findall(r"'([a-z0-9-]+)'", call.split(", gettext")[0]))
    words = (WEB / "words.py").read_text()
    used |= set(re.findall(r'Word\("([a-z0-9-]+)"', words))
    used -= {"dark", "light", "auto", "vi", "en"}
    assert used <= known


def test_modules_ship_without_eval_or_inline_handlers() -> None:
    for path in MODULES:
        assert not re.search(r"\beval\(|new Function|\.setAttribute\('style'", path.read_text()), path.name
