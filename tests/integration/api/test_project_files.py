"""A project's files over HTTP, and what is left when the portal dies in the middle of an upload."""

import contextlib
import gzip
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx

from hpc_portal.app.files.shared_folder import shared_folder
from tests.integration.api.conftest import Portal

FILES = "/api/v1/projects/chips/files"
UPLOADS = "/api/v1/projects/chips/uploads"
MIB = 2**20


def folder_of(portal: Portal) -> Path:
    root = portal.city.services.settings.effective_workspace_root
    return root / shared_folder(organisation="chips-org", account="chips")


def put(client: httpx.Client, path: str, content: bytes, **how: bool) -> httpx.Response:
    query: dict[str, str | int] = {"path": path, "size_bytes": len(content), **how}
    return client.put(f"{UPLOADS}/{uuid4()}", params=query, content=content)


def test_files_are_sent_listed_found_previewed_downloaded_moved_and_deleted(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        assert client.get(FILES).json() == {"items": [], "next_cursor": None}
        made = put(client, "rtl/top.v", b"module top;\n")
        again = put(client, "rtl/top.v", b"other")
        over = put(client, "rtl/top.v", b"module two;\n", overwrite=True)
        listed = client.get(FILES, params={"path": "rtl"}).json()["items"]
        found = client.get(FILES, params={"search": "TOP"}).json()["items"]
        seen = client.get(f"{FILES}/preview", params={"path": "rtl/top.v"}).json()
        content = client.get(f"{FILES}/content", params={"path": "rtl/top.v"}).content
        packed = client.get(f"{FILES}/zip").content
        folder = client.post(f"{FILES}/folders", json={"path": "old"})
        moved = client.post(f"{FILES}/moves", json={"path": "rtl/top.v", "to": "old/top.v"})
        deleted = client.delete(FILES, params={"path": "old"})
        gone = client.delete(FILES, params={"path": "old"})
    assert made.json() == {"received_bytes": 12, "path": "rtl/top.v", "is_complete": True}
    assert (again.status_code, again.json()["type"]) == (409, "/problems/file-exists")
    assert (over.status_code, content, seen["text"]) == (200, b"module two;\n", "module two;\n")
    assert [one["path"] for one in listed] == [one["path"] for one in found] == ["rtl/top.v"]
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["rtl/top.v"]
    assert (folder.status_code, moved.json()) == (201, {"path": "old/top.v"})
    assert (deleted.json()["files"], gone.status_code) == (2, 404)


def test_a_refusal_names_the_field_and_leaves_nothing(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        outside = put(client, "../top.v", b"x")
        longer = client.put(
            f"{UPLOADS}/{uuid4()}", params={"path": "a", "size_bytes": 1}, content=b"more than that"
        )
        too_large = client.put(
            f"{UPLOADS}/{uuid4()}", params={"path": "a", "size_bytes": 10**15}, content=b""
        )
    assert [one.status_code for one in (outside, longer, too_large)] == [422, 422, 422]
    assert outside.json()["problems"][0]["field"] == "path"
    assert list(folder_of(portal).rglob("*")) == []
    assert list(folder_of(portal).with_name("uploads").iterdir()) == []


def test_a_zip_that_would_be_a_thousand_times_larger_stays_as_it_was_sent(portal: Portal) -> None:
    """Nothing is unpacked: neither what is sent, nor a body that says that it is compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"../zeros-{number}", bytes(8 * MIB))
    squeezed = gzip.compress(bytes(8 * MIB))
    with portal.client(portal.city.chips.member) as client:
        assert put(client, "bomb.zip", packed.getvalue()).status_code == 200
        client.headers.update({"content-encoding": "gzip", "content-type": "application/gzip"})
        assert put(client, "bomb.gz", squeezed).status_code == 200
        seen = client.get(f"{FILES}/preview", params={"path": "bomb.zip"}).json()
        content = client.get(f"{FILES}/content", params={"path": "bomb.zip"}).content
    there = {path.name: path.read_bytes() for path in folder_of(portal).parent.rglob("*") if path.is_file()}
    assert there == {"bomb.zip": packed.getvalue(), "bomb.gz": squeezed}
    assert content == packed.getvalue()
    assert (seen["kind"], seen["text"]) == ("nothing", ""), "a preview does not look into it"


def test_a_part_whose_sender_goes_away_stays_and_is_gone_on_with(portal: Portal) -> None:
    upload, whole = uuid4(), os.urandom(3 * MIB)
    query: dict[str, str | int] = {"path": "big.bin", "size_bytes": len(whole)}

    def breaks_off() -> Iterator[bytes]:
        yield whole[: 2 * MIB]
        raise ConnectionResetError

    with portal.client(portal.city.chips.member) as client:
        with contextlib.suppress(httpx.TransportError, ConnectionResetError):
            client.put(f"{UPLOADS}/{upload}", params=query, content=breaks_off())
        deadline = time.monotonic() + 60
        while True:
            received = client.get(f"{UPLOADS}/{upload}").json()["received_bytes"]
            rest = client.put(
                f"{UPLOADS}/{upload}", params={**query, "offset": received or 1}, content=whole[received:]
            )
            if rest.status_code == 200 or time.monotonic() > deadline:
                break
            assert rest.status_code == 409, rest.text
    assert 0 < received <= 2 * MIB
    assert rest.json()["is_complete"]
    assert (folder_of(portal) / "big.bin").read_bytes() == whole


def test_a_portal_that_is_killed_in_the_middle_leaves_nothing_to_be_seen(portal: Portal) -> None:
    """By kill -9 of a process that receives, with half of the bytes on the disk."""
    program = f"""
import os, uuid
from sqlmodel import Session
from hpc_portal.app.actor import load_actor
from hpc_portal.app.project_files.receive import WantedPart, begin_part
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_services
services = build_services(Settings(_env_file=None))
with Session(services.engine) as session:
    actor = load_actor(session, uuid.UUID({str(portal.city.chips.member.user_id)!r}))
part = begin_part(services, actor, "chips", WantedPart(uuid.UUID(int=7), "half.bin", 100))
part.write(b"x" * 50)
print("half", flush=True)
os.read(0, 1)
"""
    settings = portal.city.services.settings
    environment = {
        **os.environ,
        "HPC_PORTAL_STATE_DIR": str(settings.state_dir),
        "HPC_PORTAL_DATABASE_URL": settings.database_url,
    }
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with portal.client(portal.city.chips.member) as client:
        assert client.get(FILES).json()["items"] == []
        assert client.get(f"{UPLOADS}/00000000-0000-0000-0000-000000000007").json() == {"received_bytes": 50}
        rest = client.put(
            f"{UPLOADS}/00000000-0000-0000-0000-000000000007",
            params={"path": "half.bin", "size_bytes": 100, "offset": 50},
            content=b"y" * 50,
        )
    assert rest.json()["is_complete"]
    assert (folder_of(portal) / "half.bin").read_bytes() == b"x" * 50 + b"y" * 50
