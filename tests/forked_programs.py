"""`hpc` and `hpc-portal` run as processes that need not import everything again: forked from one that did.

Starting an interpreter and importing the portal takes ten times as long as most commands. Each test process
has one such parent; its children get arguments, environment, folder and standard streams as a program that
was started does. What imports cost, and that they happen on demand, is tested where programs are started.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import hpc_portal.cli

ENTRY_POINTS = {"hpc": "hpc_portal.cli.user", "hpc-portal": "hpc_portal.cli.operator"}
BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[1]
_LONGEST_ORDER = 1 << 17
_PLAIN = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
"""What the parent itself gets: nothing of a test's environment is seen while modules are imported."""


def run_forked(
    program: str, arguments: Sequence[str], *, env: Mapping[str, str], stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with captured text, in the folder of the caller.

    Raises:
        subprocess.TimeoutExpired: it was killed, and what it had started with it.
    """
    argv = [str(BIN / program), *arguments]
    order = json.dumps({"program": program, "argv": argv, "env": dict(env), "folder": str(Path.cwd())})
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin.encode())
        given.seek(0)
        line.connect(_parent())
        line.settimeout(timeout)
        socket.send_fds(line, [order.encode()], [given.fileno(), out.fileno(), err.fileno()])
        pid = int(line.recv(64))
        try:
            code = int(line.recv(64))
        except TimeoutError:
            os.killpg(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(argv, timeout) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, code, out.read().decode(), err.read().decode())


@cache
def _parent() -> str:
    """The address of this test process's parent of programs, which ends with it."""
    address = f"\0forked-programs-{os.getpid()}-{os.urandom(8).hex()}"
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.forked_programs", address[1:]],
        cwd=_ROOT,
        env=_PLAIN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout, "a pipe"
    assert parent.stdout.read() == b"ready", "the parent of programs did not start"
    atexit.register(parent.communicate)
    return address


def _import_all() -> None:
    """Every module of both programs, and so nearly all of the portal."""
    for module in pkgutil.walk_packages(hpc_portal.cli.__path__, "hpc_portal.cli."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _next_order(listener: socket.socket) -> dict[str, Any]:
    """Wait for orders; comes back in the child that carries one out, and never in the parent.

    Each order has a process beside it, which tells the one who gave it how it ended.
    """
    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            os._exit(0)  # nobody is left who could order something
        line, _ = listener.accept()
        if os.fork():
            line.close()
            continue
        order, streams, _, _ = socket.recv_fds(line, _LONGEST_ORDER, 3)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if child := os.fork():
            line.send(str(child).encode())
            _, status = os.waitpid(child, 0)
            line.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        os.setpgid(0, 0)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        listener.close()
        line.close()
        return dict(json.loads(order))


def _carry_out(order: Mapping[str, Any]) -> None:
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = order["argv"]
    importlib.import_module(ENTRY_POINTS[order["program"]]).main()


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"\0{sys.argv[1]}")
        listening.listen()
        _import_all()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.write(1, b"ready")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        ordered = _next_order(listening)
    _carry_out(ordered)
