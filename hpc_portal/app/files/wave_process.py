"""A process that reads one waveform, seen from whoever asks it: started, asked with a deadline, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from hpc_portal.app.files.wave_bounds import MOST_REPLY_BYTES
from workloads.template import N_

_READ_BYTES = 256 * 1024
_PROGRAM = "hpc_portal.app.files.wave_program"

UNREADABLE = N_("it is no waveform that we can read, or it is damaged or not finished yet")
TOO_MUCH_MEMORY = N_("it needs more memory than a preview may have")
TOO_SLOW = N_("reading it takes longer than a preview may take")
TOO_LARGE = N_("the file is larger than a preview may be")
_ENDS = {
    -signal.SIGXCPU: TOO_SLOW,
    -signal.SIGABRT: TOO_MUCH_MEMORY,
    -signal.SIGKILL: TOO_MUCH_MEMORY,
}
"""Why it died, by the negative number of the signal: the allocator aborts, and the kernel kills."""
_NO_TIME = 0.001
_LAST_SECONDS = 0.2
"""In which one that closed its output ends; one that is still at work did not answer in time."""
_PROBLEMS = {"unreadable": UNREADABLE, "memory": TOO_MUCH_MEMORY}


class NoAnswer(Exception):
    """The process cannot or can no longer answer; `why` is for people, `is_dead` asks for a new one."""

    def __init__(self, why: str, *, is_dead: bool) -> None:
        super().__init__(why)
        self.why = why
        self.is_dead = is_dead


class WaveProcess:
    """One reading process. It is asked one question at a time, and keeps what it has read."""

    def __init__(self, descriptor: int) -> None:
        """Start it on a file that is open; it keeps its own copy of the descriptor."""
        self._line, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, and no word of anybody else's
                [sys.executable, "-P", "-m", _PROGRAM, str(descriptor)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                cwd="/",
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        self.has_answered = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ask(self, question: dict[str, Any], *, deadline: float) -> Any:  # noqa: ANN401 - as the program answers
        """Its answer. `deadline` is on the monotonic clock; after it the process is no more.

        Raises:
            NoAnswer: see there.
        """
        try:
            line = self._exchange(json.dumps(question).encode() + b"\n", deadline)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise NoAnswer(self._end(), is_dead=True)
        answer = json.loads(line)
        self.has_answered = True
        if problem := answer.get("problem"):
            raise NoAnswer(_PROBLEMS[problem], is_dead=False)
        return answer["answer"]

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _exchange(self, question: bytes, deadline: float) -> bytes:
        """The line that answers; less than a line when it ended or said too much.

        Raises:
            OSError: it has ended, or did not answer in time.
        """
        self._line.settimeout(max(_NO_TIME, deadline - time.monotonic()))
        self._line.sendall(question)
        received = bytearray()
        while not received.endswith(b"\n") and len(received) <= MOST_REPLY_BYTES:
            self._line.settimeout(max(_NO_TIME, deadline - time.monotonic()))
            piece = self._line.recv(_READ_BYTES)
            if not piece:
                break
            received += piece
        return bytes(received)

    def _end(self) -> str:
        """End it; why it did not answer."""
        try:
            code = self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        self.stop()
        return TOO_SLOW if code is None else _ENDS.get(code, UNREADABLE)
