"""The bill of materials is CycloneDX, whole, and the same whenever it is written."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import write_sbom
from scripts.write_sbom import (
    LOCK,
    NAME,
    ROOT,
    VENDOR,
    CannotWrite,
    as_text,
    build_wheel,
    make_bom,
    read_lock,
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def text(wheel: Path) -> str:
    return as_text(make_bom(wheel))


@pytest.fixture(scope="module")
def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_valid_by_the_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = text.replace('"type": "library"', '"type": "no such type"', 1)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_written_again_from_the_same_checkout_it_is_the_same_byte_for_byte(
    text: str, wheel: Path, tmp_path: Path
) -> None:
    again = build_wheel(tmp_path)
    assert again.read_bytes() == wheel.read_bytes()
    assert as_text(make_bom(again)) == text
    assert not re.search(r"timestamp|serialNumber|urn:uuid", text)


def test_every_locked_package_is_in_it_with_the_hashes_of_the_lock_and_a_licence(
    document: dict[str, Any],
) -> None:
    lock = LOCK.read_text("utf-8")
    found = {part["name"]: part for part in document["components"] if part["purl"].startswith("pkg:pypi/")}
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    windows = {"colorama", "tzdata"}
    assert {name: part["version"] for name, part in found.items()} == {
        name: version for name, version in locked.items() if name not in windows
    }
    fastapi = re.search(r"^fastapi==.*?(?=^\S)", lock, re.MULTILINE | re.DOTALL)
    assert fastapi
    [files] = found["fastapi"]["externalReferences"]
    assert {one["content"] for one in files["hashes"]} == set(re.findall("sha256:([0-9a-f]{64})", fastapi[0]))
    assert all(part["licenses"] and part["externalReferences"] for part in found.values())


def test_every_vendored_file_is_in_it_with_its_own_hash_and_its_packages_licence(
    document: dict[str, Any],
) -> None:
    packages = [part for part in document["components"] if part["purl"].startswith("pkg:npm/")]
    files = {part["name"]: part["hashes"][0]["content"] for one in packages for part in one["components"]}
    there = {
        str(path.relative_to(ROOT)): hashlib.sha384(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in {".js", ".css", ".svg"}
    }
    assert files == there
    assert {one["licenses"][0]["license"]["id"] for one in packages} == {"0BSD", "MIT"}


def test_who_brings_a_package_along_is_said(document: dict[str, Any]) -> None:
    depends = {one["ref"]: set(one.get("dependsOn", ())) for one in document["dependencies"]}
    refs = {part["name"]: part["bom-ref"] for part in document["components"]}
    assert refs["fastapi"] in depends["hpc-portal"]
    assert refs["starlette"] in depends[refs["fastapi"]]
    assert refs["starlette"] not in depends[refs["alembic"]]


def test_an_asset_that_somebody_changed_stops_the_writing(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = tmp_path / "hpc_portal" / "vendor"
    vendor.mkdir(parents=True)
    for path in VENDOR.iterdir():
        (vendor / path.name).write_bytes(path.read_bytes())
    (vendor / "htmx.min.js").write_text("steal()")
    monkeypatch.setattr(write_sbom, "VENDOR", vendor)
    monkeypatch.setattr(write_sbom, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(write_sbom, "LOCK", tmp_path / "otel.lock")
    (tmp_path / "otel.lock").write_bytes(LOCK.read_bytes())
    with pytest.raises(CannotWrite, match=r"htmx.min.js is not the file of its manifest"):
        make_bom(wheel)


def test_what_is_windows_alone_is_not_shipped_and_who_wants_what_is_read() -> None:
    lock = (
        "a==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via\n    #   -c x.lock\n    #   b\n"
        "colorama==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "1" * 64 + "\n    # via a\n"
        "b==3.0 ; sys_platform == 'linux' \\\n    --hash=sha256:"
        + "2" * 64
        + "\n    # via hpc-portal (pyproject.toml)\n"
    )
    assert [(one.name, one.version, one.hashes, one.wanted_by) for one in read_lock(lock)] == [
        ("a", "1.0", ("0" * 64,), ("b",)),
        ("b", "3.0", ("2" * 64,), ("hpc-portal",)),
    ]


def test_its_name_is_the_one_that_the_documents_give() -> None:
    for path in ("docs/security.md", "helm/README.md", "Containerfile"):
        assert NAME in (ROOT / path).read_text("utf-8"), path
