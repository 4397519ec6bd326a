"""The lock files hold what pyproject.toml asks for, each file by its hash."""

import re
import tomllib
from collections.abc import Sequence

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.write_docs import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(*names: str) -> dict[str, Version]:
    """Package -> version, over several lock files."""
    texts = [(ROOT / "requirements" / name).read_text("utf-8") for name in names]
    return {
        canonicalize_name(package): Version(version)
        for text in texts
        for package, version in _PIN.findall(text)
    }


@pytest.mark.parametrize(
    ("asked", "locks"),
    [
        (PROJECT["project"]["dependencies"], ["runtime.lock"]),
        (PROJECT["project"]["dependencies"], ["dev.lock"]),
        (PROJECT["dependency-groups"]["dev"], ["dev.lock"]),
        (PROJECT["build-system"]["requires"], ["runtime.lock"]),
        (PROJECT["project"]["optional-dependencies"]["ai"], ["runtime.lock", "ai.lock"]),
        (PROJECT["project"]["optional-dependencies"]["otel"], ["otel.lock"]),
        (PROJECT["project"]["optional-dependencies"]["otel"], ["dev.lock"]),
    ],
    ids=["runtime", "runtime in dev", "dev", "build", "ai", "otel", "otel in dev"],
)
def test_a_lock_satisfies_what_is_asked(asked: Sequence[str], locks: Sequence[str]) -> None:
    locked = pins(*locks)
    missing = [
        text
        for text in asked
        for wanted in [Requirement(text)]
        if canonicalize_name(wanted.name) not in locked
        or locked[canonicalize_name(wanted.name)] not in wanted.specifier
    ]
    assert missing == [], "run `make lock`"


def test_development_runs_on_the_versions_that_users_run_on() -> None:
    assert pins("runtime.lock").items() <= pins("otel.lock").items() <= pins("dev.lock").items()


@pytest.mark.parametrize("name", ["runtime.lock", "otel.lock", "dev.lock"])
def test_every_locked_file_is_known_by_its_hash(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    entries = re.split(r"\n(?=[a-z])", text)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
