"""Ports for servers that are started again, and must find theirs free then.

The kernel gives ports from 32768 to whoever connects or asks for any. While a server that a test killed is
away, such a port may become somebody else's, whom the test's clients would then talk to.
"""

import itertools
import os
import socket

_FIRST, _EACH = 10_000, 600
_WORKERS = 16
_steps = itertools.count(os.getpid())


def free_port() -> int:
    """A TCP port below those that the kernel gives away; of no other process of this test run.

    Raises:
        OSError: somebody listens on every one of this process's.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    for step in itertools.islice(_steps, _EACH):
        port = _FIRST + worker * _EACH + step % _EACH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    message = f"no port of {_EACH} is free for test process {worker}"
    raise OSError(message)
