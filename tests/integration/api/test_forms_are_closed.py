"""Files that came with a form are let go of, whether or not the page wanted any."""

import contextlib
import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api.conftest import Portal
from tests.portal_processes import wait_until

MORE_THAN_MEMORY_TAKES = b"nobody asked for this\n" * 100_000
FILE = {"unasked": ("notes.txt", MORE_THAN_MEMORY_TAKES, "text/plain")}


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where files lie that came with a form; none is let go of by the collector of garbage."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    gc.disable()
    yield folder
    gc.enable()


def open_files(folder: Path) -> list[str]:
    """Those that this process has open there; they have no name any more."""
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(f"{folder}/")]


@pytest.mark.parametrize(("name", "status"), [("Minh", 303), ("x" * 1000, 422)], ids=["taken", "refused"])
def test_a_file_that_no_field_asked_for_is_closed(
    portal: Portal, spool: Path, name: str, status: int
) -> None:
    with portal.client(portal.city.chips.lead, accept="text/html") as client:
        reply = client.post("/settings/profile", data={"display_name": name}, files=FILE)
    assert reply.status_code == status, reply.text
    wait_until(lambda: not open_files(spool), what="files to be closed")
