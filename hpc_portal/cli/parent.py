"""What a child process shares with its parent: it ends when that is gone, and tells it when it is ready."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable


def end_with_parent(descriptor: int) -> None:
    """Send this process a SIGTERM when its parent is gone, however that died; returns at once.

    The descriptor is of a pipe whose other end only the parent holds open.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def announce_on(descriptor: int) -> Callable[[str], None]:
    """A function that writes the address as one line to an inherited descriptor, and closes it."""

    def announce(url: str) -> None:
        with os.fdopen(descriptor, "w") as pipe:
            pipe.write(url + "\n")

    return announce
