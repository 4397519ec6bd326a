"""The Containerfile, as far as it can be checked without a container engine."""

import re
import subprocess
import sys
from pathlib import Path

from scripts.write_docs import PACKAGES, ROOT

FILE = ROOT / "Containerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"


def lines() -> list[str]:
    """Its instructions, each on one line."""
    text = FILE.read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


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
    stages = re.split(r"^FROM ", "\n".join(lines()), flags=re.MULTILINE)[1:]
    for stage in stages[1:]:  # the first one only builds
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
