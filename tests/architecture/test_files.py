"""Files are small, named after what they do, say why they exist, and know nothing of one machine."""

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.write_docs import PACKAGES, ROOT, first_line

MODULES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.parent.name != "versions"  # migrations are history, not code to be read
)
MAX_LINES = 400
LONGER_WITH_REASON = {
    "hpc_portal/app/tables.py": "all tables of the application stand in one module, as its tests demand",
    "schedulers/dask/backend.py": "the whole Scheduler contract, one method after the other",
    "schedulers/dask/executor.py": "a whole process, inside the sandbox with the standard library only",
    "schedulers/dask/foreman.py": "one state machine; cut in two, neither half could be checked alone",
    "schedulers/memory.py": "a whole backend for tests, to be read at one sitting",
}
"""Path -> why this file may be longer than MAX_LINES."""

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
GENERATED = {".venv", ".git", ".state", "__pycache__", "node_modules", "build", "dist"}
TEXT = re.compile(r"\.(?:py|md|toml|lock|in|sh|ya?ml|html|css|m?js|json|svg|po|mako)$|^(?:Makefile|run)$")
ONE_MACHINE = [
    re.compile(pattern)
    for pattern in (
        r"files\.pythonhosted\.org",
        r"pypi\.org/simple",
        r"registry\.npmjs\.org",
        r"deb\.debian\.org",
        r"/work/(?:main|shared)\b",
        r"/opt/(?:wheels|pypi)\b",
        r"/root/\.pyenv",
    )
]


def module_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project_files() -> Iterator[Path]:
    """What belongs to the project: no caches, no environment, no state."""
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_dir() and not path.is_symlink():
                if path.name not in GENERATED and not path.name.endswith(("_cache", ".egg-info")):
                    folders.append(path)
            elif TEXT.search(path.name):
                yield path


def test_every_module_says_in_one_sentence_why_it_exists() -> None:
    assert [module_name(path) for path in MODULES if not first_line(path).endswith((".", ":", "?"))] == []


def test_no_module_speaks_of_two_verbs_by_its_length() -> None:
    lengths = {module_name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    longer = {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
    assert longer.keys() - LONGER_WITH_REASON.keys() == set(), longer


def test_no_reason_for_length_outlives_its_file() -> None:
    assert [name for name in LONGER_WITH_REASON if not (ROOT / name).exists()] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [module_name(path) for path in MODULES if {path.stem, path.parent.name} & EMPTY_NAMES] == []


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in project_files():
        text = path.read_text("utf-8", errors="replace")
        found += [f"{module_name(path)}: {p.pattern}" for p in ONE_MACHINE if p.search(text)]
    assert found == []


def test_nothing_is_left_to_do_later() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX)\b|NotImplementedError")
    assert [module_name(path) for path in MODULES if marks.search(path.read_text("utf-8"))] == []
