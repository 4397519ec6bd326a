"""The Containerfile, as far as it can be checked without a container engine."""

import re
import subprocess
import sys
from pathlib import Path

from hpc_portal.app.backup.dump import _DEBIAN
from scripts.write_docs import PACKAGES, ROOT

FILE = ROOT / "Containerfile"
TARGETS = {"portal", "node"}
"""The stages that become images; others only build."""
HADOLINT = Path(sys.executable).parent / "hadolint"


def lines() -> list[str]:
    """Its instructions, each on one line."""
    text = FILE.read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def stages() -> dict[str, str]:
    """Each stage's instructions, by its name."""
    texts = re.split(r"^FROM ", "\n".join(lines()), flags=re.MULTILINE)[1:]
    return {text.splitlines()[0].rpartition(" AS ")[2]: text for text in texts}


def test_the_linter_finds_nothing() -> None:
    found = subprocess.run([HADOLINT, "--no-color", FILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = [
        source
        for line in lines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert set(PACKAGES) <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source in allowed or source.split("/")[0] in allowed, source


def test_every_image_ends_as_somebody_who_is_not_root() -> None:
    images = {name: stage for name, stage in stages().items() if name in TARGETS}
    assert set(images) == TARGETS
    for stage in images.values():
        users = re.findall(r"^USER (\d+):\d+$", stage, flags=re.MULTILINE)
        assert users[-1] == "10001", stage.splitlines()[0]


def test_packages_are_pinned_with_their_hashes() -> None:
    [install] = [line for line in lines() if "otel.lock" in line and line.startswith("RUN")]
    assert "--require-hashes --only-binary :all:" in install
    assert all(
        line.startswith("ARG BASE=") or "${BASE}" in line or " portal AS " in line
        for line in lines()
        if re.match("FROM|ARG", line)
    )


def test_the_portal_has_postgresqls_client_where_a_backup_looks_for_it() -> None:
    assert "postgresql-client" in stages()["postgresql"]
    copied = f"COPY --from=postgresql {_DEBIAN} {_DEBIAN}"
    assert copied in stages()["portal"].splitlines()
    assert "libpq5" in stages()["portal"], "what it is linked to"


def test_no_list_of_packages_stays_in_an_image() -> None:
    for name in TARGETS:
        for line in stages()[name].splitlines():
            assert "apt-get update" not in line or "rm -rf /var/lib/apt/lists/*" in line
