"""A child process ends when its parent is gone, however that died: a pipe that only the parent holds open."""

import contextlib
import os
import signal
import threading


def end_with_parent(descriptor: int) -> None:
    """Send this process a SIGTERM at the end of the pipe; returns at once."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
