"""Write the bill of materials of what is shipped, as CycloneDX: wheel, locked dependencies, browser assets.

python -m scripts.write_sbom dist       the wheel and hpc-portal.cdx.json, both in this folder

Equal input makes an equal file: no time, no serial number, everything in order. Licences are those that the
installed packages state; one that is not installed here as the lock has it stops the writing.
"""

import base64
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "otel.lock"
"""What the images install; it holds runtime.lock whole."""
VENDOR = ROOT / "hpc_portal" / "web" / "static" / "vendor"
NAME = "hpc-portal.cdx.json"
_IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.13",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""Where markers of the lock hold: what is Windows' alone is not shipped."""
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: *; *([^\\]+?))? *\\?$")
_LICENSES = LicenseFactory()


class CannotWrite(Exception):
    """Something of the shipment is not as it is written down; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of the lock."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed."""
    wanted_by: tuple[str, ...]


def read_lock(text: str) -> Iterator[Locked]:
    """The packages that an image has, in the lock's order."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        first, *rest = block.splitlines()
        if not (found := _PACKAGE.match(first)):
            continue
        if found[3] and not Marker(found[3]).evaluate(dict(_IMAGE)):
            continue
        reasons = [line.strip().removeprefix("# via").strip("# ") for line in rest if "#" in line]
        yield Locked(
            name=str(canonicalize_name(found[1])),
            version=found[2],
            hashes=tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))),
            wanted_by=tuple(one.split(" ")[0] for one in reasons if one and not one.startswith("-")),
        )


def make_bom(wheel: Path) -> Bom:
    """The whole, of a wheel that was built from this checkout.

    Raises:
        CannotWrite: a locked package is not installed here, or an asset is not the one of its manifest.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bom = Bom()
    bom.metadata.component = root = Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        version=project["version"],
        licenses=[_LICENSES.make_from_string(project["license"])],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(wheel.read_bytes()).hexdigest())],
        bom_ref="hpc-portal",
        purl=PackageURL("pypi", None, project["name"], project["version"]),
    )
    locked = {one.name: one for one in read_lock(LOCK.read_text("utf-8"))}
    packages = {name: _package(one) for name, one in locked.items()}
    assets = list(_assets())
    for component in (*packages.values(), *assets):
        bom.components.add(component)
    bom.register_dependency(root, assets)
    for name, one in locked.items():
        for parent in one.wanted_by:
            wanting = packages.get(str(canonicalize_name(parent)), root)
            bom.register_dependency(wanting, [packages[name]])
    return bom


def _package(locked: Locked) -> Component:
    files = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in locked.hashes]
    where = XsUri(str(LOCK.relative_to(ROOT)))
    purl = PackageURL("pypi", None, locked.name, locked.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=locked.name,
        version=locked.version,
        licenses=[_license_of(locked)],
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=where, hashes=files)
        ],
        bom_ref=str(purl),
        purl=purl,
    )


def _license_of(locked: Locked) -> License:
    """The expression that the package states; older ones have a word, a classifier, or a whole text."""
    try:
        stated = importlib.metadata.metadata(locked.name)
    except importlib.metadata.PackageNotFoundError:
        raise CannotWrite(f"{locked.name} is not installed here: make setup-test") from None
    if stated["Version"] != locked.version:
        raise CannotWrite(
            f"{locked.name} {stated['Version']} is installed, the lock has {locked.version}: make setup-test"
        )
    word = (stated.get_all("License-Expression") or stated.get_all("License") or [""])[0]
    if word and "\n" not in word and word != "UNKNOWN":
        return _LICENSES.make_from_string(word)
    named = [
        text.rpartition(" :: ")[2]
        for text in stated.get_all("Classifier") or []
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    if not named:
        raise CannotWrite(f"{locked.name} {locked.version} states no licence.")
    return _LICENSES.make_from_string(" OR ".join(sorted(named)) if len(named) > 1 else named[0])


def _assets() -> Iterator[Component]:
    """One component for each npm package, with its files below it."""
    manifest: Mapping[str, Mapping[str, str]] = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    for name in sorted({facts["package"] for facts in manifest.values()}):
        files = {file: facts for file, facts in manifest.items() if facts["package"] == name}
        facts = next(iter(files.values()))
        scope, _, short = name.rpartition("/")
        purl = PackageURL("npm", scope or None, short, facts["version"])
        yield Component(
            type=ComponentType.LIBRARY,
            group=scope or None,
            name=short,
            version=facts["version"],
            licenses=[_LICENSES.make_from_string(facts["licence"])],
            components=[_file(file, one["sha384"]) for file, one in sorted(files.items())],
            bom_ref=str(purl),
            purl=purl,
        )


def _file(name: str, sha384: str) -> Component:
    path = VENDOR / name
    hashed = hashlib.sha384(path.read_bytes())
    if hashed.digest().hex() != _hex(sha384):
        raise CannotWrite(f"{path.relative_to(ROOT)} is not the file of its manifest.")
    return Component(
        type=ComponentType.FILE,
        name=str(path.relative_to(ROOT)),
        hashes=[HashType(alg=HashAlgorithm.SHA_384, content=hashed.hexdigest())],
        bom_ref=f"file:{name}",
    )


def _hex(encoded: str) -> str:
    return base64.b64decode(encoded).hex()


def as_text(bom: Bom) -> str:
    """The document, without what would differ each time."""
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout; equal sources make an equal file."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.absolute())]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return folder / f"hpc_portal-{version}-py3-none-any.whl"


def main() -> None:
    """Write both into the folder that was named."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    try:
        text = as_text(make_bom(build_wheel(folder)))
    except CannotWrite as problem:
        sys.exit(str(problem))
    (folder / NAME).write_text(text, "utf-8")
    print(f"Wrote {folder / NAME}.")


if __name__ == "__main__":
    main()
