"""A portal for the demo: `hpc-portal serve` as a child that ends with the demo, however the demo ends."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hpc_portal.app.settings import Settings
from hpc_portal.cli.errors import CliError, Unreachable
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.portal import Portal

_START_SECONDS = 180
_STOP_SECONDS = 30
_SHOWN_LOG_LINES = 20
_INHERITED = {"database_url"}
"""Secrets stay where they are: in the environment that the child inherits."""


@contextlib.contextmanager
def running_portal(settings: Settings) -> Iterator[str]:
    """Start it, wait until it takes requests, give its address; at the end stop it in order.

    Its log goes to `demo.log` in the state folder.

    Raises:
        CliError: it did not start; the message ends with what it said.
    """
    log_path = settings.state_dir / "demo.log"
    life, held_open = os.pipe()
    ready, announced = os.pipe()
    command = [
        sys.executable,
        *("-m", "hpc_portal.cli.operator", "serve"),
        *("--parent-fd", str(life), "--ready-fd", str(announced)),
    ]
    with log_path.open("ab") as log:
        log_start = log.tell()
        child = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | environment_of(settings),
            pass_fds=(life, announced),
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the portal in order
        )
    os.close(life)
    os.close(announced)
    try:
        yield _wait_for_address(ready, child, log_path, log_start)
    finally:
        os.close(held_open)
        os.close(ready)
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process the settings that the demo itself chose."""
    chosen = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude=_INHERITED)
    chosen["state_dir"] = str(settings.state_dir.absolute())
    return {
        f"HPC_PORTAL_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in chosen.items()
    }


def wait_for_cluster(portal: Portal) -> None:
    """Return when each cluster has a node that is up and takes jobs.

    Raises:
        Unreachable: one had none for too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        clusters = portal.get("/clusters")["items"]
        if all(any(node["state"] == "up" for node in cluster["nodes"]) for cluster in clusters):
            return
        time.sleep(0.3)
    raise Unreachable(_("The portal runs, but no node of its cluster came up."))


def _wait_for_address(ready: int, child: "subprocess.Popen[bytes]", log_path: Path, log_start: int) -> str:
    readable, _writable, _errors = select.select([ready], [], [], _START_SECONDS)
    address = os.read(ready, 1000).decode().strip() if readable else ""
    if address:
        return address
    child.kill()
    child.wait()
    with log_path.open("rb") as log:
        log.seek(log_start)
        said = log.read().decode(errors="replace").splitlines()[-_SHOWN_LOG_LINES:]
    raise CliError("\n".join([_("The portal did not start. It said:"), *said]))
