"""The documents say what the code is: tree, settings, errors, links and command names."""

import ast
import re
from pathlib import Path

import pytest

from schedulers.dask import plugin
from scripts import write_authorisation
from scripts.write_docs import ARCHITECTURE, PACKAGES, ROOT, SETTINGS, file_tree, settings_page, with_tree

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
ERROR_MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("errors.py"))
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"|<a[^>]+href=\"([^\"]+)\"")


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_tree_in_the_architecture_page_is_that_of_the_docstrings() -> None:
    page = ARCHITECTURE.read_text("utf-8")
    assert with_tree(page, file_tree(ROOT)) == page, "run `make docs`"


def test_the_settings_page_is_that_of_the_settings() -> None:
    assert SETTINGS.read_text("utf-8") == settings_page(), "run `make docs`"


def test_the_page_on_authorisation_is_that_of_the_matrix() -> None:
    assert write_authorisation.PAGE.read_text("utf-8") == write_authorisation.page(), "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = ["".join(found) for found in _LINK.findall(page.read_text("utf-8"))]
    local = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    missing = [target for target in local if not (page.parent / target.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text("utf-8"), flags=re.MULTILINE))
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    assert named - made == set()


def test_every_variable_that_the_operations_page_names_exists() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    named = set(re.findall(r"\bHPC_(?:PORTAL|NODE)_[A-Z_]+[A-Z]", page))
    known = set(re.findall(r"\bHPC_(?:PORTAL|NODE)_[A-Z_]+", settings_page() + (plugin.__doc__ or "")))
    assert named - known == set()
    assert {name for name in known if name.startswith("HPC_NODE_")} <= named


@pytest.mark.parametrize("decision", DECISIONS, ids=page_name)
def test_a_decision_is_short_and_says_why(decision: Path) -> None:
    text = decision.read_text("utf-8")
    missing = [part for part in ("## Context", "## Decision", "## Consequences") if part not in text]
    assert missing == []
    assert len(text.splitlines()) <= 80, "an ADR is about 40 lines; more belongs into docs/"


def test_every_decision_is_in_the_index_and_has_its_own_number() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers))


def test_every_error_is_drawn_in_the_tree_of_its_module() -> None:
    assert [f"{page_name(path)}: {name}" for path in ERROR_MODULES for name in _undrawn_errors(path)] == []


def _undrawn_errors(path: Path) -> list[str]:
    tree = ast.parse(path.read_text("utf-8"))
    drawn = ast.get_docstring(tree) or ""
    errors = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and _is_error(node, tree)]
    return [name for name in errors if not re.search(rf"\b{name}\b", drawn)]


def _is_error(node: ast.ClassDef, tree: ast.Module) -> bool:
    """Does it descend from an exception, through classes of the same module?"""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    here = {other.name: other for other in tree.body if isinstance(other, ast.ClassDef)}
    return any(
        base.endswith(("Exception", "Error")) or (base in here and _is_error(here[base], tree))
        for base in bases
    )


@pytest.mark.parametrize(("page_name", "at_least"), [("security.md", 40), ("complaints.md", 12)])
def test_every_test_that_a_page_names_exists(page_name: str, at_least: int) -> None:
    """What a test showed that is gone is only claimed."""
    page = (ROOT / "docs" / page_name).read_text("utf-8")
    path, named = "", []
    for found in re.findall(r"`((?:tests/[\w/]+\.py)?::test_\w+)`", page):
        file, name = found.split("::")
        path = file or path
        named.append((path, name))
    assert len(named) >= at_least
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    ]
    assert missing == []
