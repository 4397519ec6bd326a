"""Finds the supervisor of a state folder, or starts it, detached and with a clean environment."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from schedulers.dask.node import NodeConfig

SOCKET_NAME = "supervisor.sock"
START_SECONDS = 60.0
_SOURCE = Path(__file__).resolve().parents[2]


class SupervisorUnavailable(Exception):
    """The node's supervisor could not be started or reached."""


def ensure_supervisor(config: NodeConfig) -> Path:
    """The socket of the node's supervisor, which takes connections when this returns.

    Raises:
        SupervisorUnavailable: it did not start; the text holds what it said.
    """
    path = Path(config.state_dir) / SOCKET_NAME
    deadline = time.monotonic() + START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        try:
            connect(path).close()
        except OSError:
            said = _start(config) or said
            time.sleep(0.02)
        else:
            return path
    raise SupervisorUnavailable(f"The supervisor of {config.state_dir} did not start. {said}")


def connect(path: Path) -> socket.socket:
    """A connection to a supervisor's socket, however long its path is."""
    connection = socket.socket(socket.AF_UNIX)
    folder = -1
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return connection


def _start(config: NodeConfig) -> str:
    """Start one and wait until it serves or gives up; what it said then. Losing a race to another is fine."""
    program = [sys.executable, "-s", "-S", "-m", "schedulers.dask.supervisor"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*program, "--state-dir", config.state_dir],
        input=json.dumps(config.to_json()).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath + ":/usr/sbin:/sbin", "LANG": "C.UTF-8", "PYTHONPATH": str(_SOURCE)},
        cwd="/",
        start_new_session=True,
        timeout=START_SECONDS,
        check=False,
    )
    return done.stderr.decode(errors="replace").strip()
