"""Web and controller in one command: the controller is a child that is started again when it dies."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import structlog

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.parent import announce_on, end_with_parent
from hpc_portal.cli.process_options import (
    DaskScheduler,
    Host,
    ParentFd,
    Port,
    ReadyFd,
    Verbose,
    address_errors,
    say_where,
)
from hpc_portal.cli.tracing import require_extra
from hpc_portal.cli.web import listen, run_web

log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_AFTER_SECONDS = 60.0
"""A controller that lived so long starts again after the shortest pause."""
_DRAIN_SECONDS = 20.0


def serve(  # noqa: PLR0913 - a command's options
    *,
    host: Host = None,
    port: Port = None,
    dask_scheduler: DaskScheduler = None,
    verbose: Verbose = False,
    parent_fd: ParentFd = None,
    ready_fd: ReadyFd = None,
) -> None:
    """Web, controller and, unless a Dask scheduler is set, an embedded cluster: everything in one command.

    Brings the database up to date first.
    """
    configure_log(verbose=verbose)
    settings = load_settings(host=host, port=port, dask_scheduler=dask_scheduler)
    require_extra(settings)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    upgrade(settings)
    with address_errors(settings):
        run_serve(settings, on_ready=announce_on(ready_fd) if ready_fd else say_where)


def run_serve(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run both until SIGTERM or SIGINT.

    The child notices by itself when this process dies, kill -9 included. Jobs go on in either case: their
    node's supervisor is a process of its own.

    Raises:
        OSError: the address is taken or not ours; nothing was started.
    """
    with listen(settings.host, settings.port) as listener, _controller_kept_running(settings):
        run_web(settings, listener, on_ready=on_ready)


@contextlib.contextmanager
def _controller_kept_running(settings: Settings) -> Iterator[None]:
    life, held_open = os.pipe()
    stopping = threading.Event()
    keeper = threading.Thread(
        target=_keep_running,
        args=(_command(settings, life), _environment(settings), life, stopping),
        name="controller-keeper",
    )
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        os.close(held_open)  # the child reads the end of the file, and drains
        keeper.join()
        os.close(life)


def _command(settings: Settings, life: int) -> list[str]:
    """The controller with what this command's own options changed; the rest it reads as we did."""
    command = [sys.executable, "-m", "hpc_portal.cli.operator", "controller", "--parent-fd", str(life)]
    return [*command, "--dask-scheduler", settings.dask_scheduler] if settings.dask_scheduler else command


def _environment(settings: Settings) -> dict[str, str]:
    """Ours, but the port for machines is the next one: two processes cannot listen on the same."""
    next_port = str(settings.metrics_port + 1) if settings.metrics_port else None
    return {**os.environ, **({"HPC_PORTAL_METRICS_PORT": next_port} if next_port else {})}


def _keep_running(
    command: list[str], environment: dict[str, str], life: int, stopping: threading.Event
) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while not stopping.is_set():
        # A session of its own: Ctrl-C reaches the parent only, which then stops both in order.
        child = subprocess.Popen(command, env=environment, pass_fds=(life,), start_new_session=True)  # noqa: S603 - our own command
        log.info("controller.started", pid=child.pid)
        started = time.monotonic()
        code = _wait(child, stopping)
        if stopping.is_set():
            return
        was_healthy = time.monotonic() - started > _HEALTHY_AFTER_SECONDS
        pause = _FIRST_PAUSE_SECONDS if was_healthy else min(pause * 2, _LONGEST_PAUSE_SECONDS)
        log.error("controller.died", pid=child.pid, exit_code=code, starting_again_in_seconds=pause)
        stopping.wait(pause)


def _wait(child: "subprocess.Popen[bytes]", stopping: threading.Event) -> int:
    while not stopping.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(timeout=0.5)
    try:
        return child.wait(timeout=_DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("controller.killed", pid=child.pid, because="it did not drain in time")
        child.kill()
        return child.wait()
