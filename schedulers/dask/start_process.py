"""Starts a process in its own session and, where asked, born inside a cgroup: no instruction runs outside."""

import ctypes
import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SYS_CLONE3 = 435
"""On every architecture that Linux has; see clone(2)."""
_CLONE_INTO_CGROUP = 0x2_0000_0000
_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
_ERRNO_BYTES = 4
_IN_FOLDER, _IN_PROGRAM = b"f", b"p"
"""What an errno is about."""


class CannotEnterCgroup(Exception):
    """The kernel did not make a process inside the cgroup; nothing was started."""


@dataclass(frozen=True, slots=True)
class Program:
    """What runs, and with what."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    working_directory: str
    stdin: int
    stdout: int
    stderr: int


def start_process(program: Program, *, cgroup: int | None = None) -> int:
    """Start it and return its pid; the caller reaps it with wait4.

    `cgroup` is a descriptor of the cgroup's folder. Python's subprocess cannot place a process, and moving
    one later is a race (or, for a stage that moves itself, milliseconds of waiting for the kernel); so then
    this forks with clone3(CLONE_INTO_CGROUP), for which the caller must be small and have a single thread.

    Raises:
        CannotEnterCgroup: the cgroup is gone or not ours to enter, or the kernel is older than 5.7.
        OSError: the program cannot be executed or its working directory not be entered.
    """
    if cgroup is None:
        process = subprocess.Popen(  # noqa: S603 - running what the tenant asks is the purpose
            program.argv,
            stdin=program.stdin,
            stdout=program.stdout,
            stderr=program.stderr,
            cwd=program.working_directory,
            env=program.environment,
            start_new_session=True,
        )
        process.returncode = 0  # the caller reaps it; Popen must not wait for it again
        return process.pid
    problems, tell = os.pipe2(os.O_CLOEXEC)
    try:
        pid = _clone_into(cgroup)
        if pid == 0:
            _become(program, tell)
        os.close(tell)
        tell = -1
        problem = os.read(problems, 1 + _ERRNO_BYTES)  # ends when the program was executed, or died
        if problem:
            os.waitpid(pid, 0)
            number = int.from_bytes(problem[1:], "little")
            about = program.working_directory if problem[:1] == _IN_FOLDER else program.argv[0]
            raise OSError(number, os.strerror(number), about)
        return pid
    finally:
        for descriptor in (problems, tell):
            if descriptor >= 0:
                os.close(descriptor)


def ignore_no_signals() -> None:
    """Handle as usual what this process was started to ignore (nohup does that): programs would inherit it.

    But for what Python itself ignores: `start_process` gives that back.
    """
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


class _CloneArguments(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
            *("set_tid", "set_tid_size", "cgroup"),
        )
    )


def _clone_into(cgroup: int) -> int:
    """Fork into the cgroup; 0 in the child."""
    arguments = _CloneArguments(flags=_CLONE_INTO_CGROUP, exit_signal=int(signal.SIGCHLD), cgroup=cgroup)
    library = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock, for the child to have it
    pid: int = library.syscall(_SYS_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if pid < 0:
        raise CannotEnterCgroup(os.strerror(ctypes.get_errno()))
    return pid


def _become(program: Program, tell: int) -> None:
    """In the child: run the program, or tell why not."""
    about = _IN_FOLDER
    try:
        os.setsid()
        for place, descriptor in enumerate((program.stdin, program.stdout, program.stderr)):
            os.dup2(descriptor, place)
        os.chdir(program.working_directory)
        about = _IN_PROGRAM
        for ignored in _IGNORED_BY_PYTHON:
            signal.signal(ignored, signal.SIG_DFL)
        os.execvpe(program.argv[0], tuple(program.argv), program.environment)  # noqa: S606 - no shell is the point
    except (OSError, ValueError) as problem:  # a NUL character is a ValueError
        number = problem.errno if isinstance(problem, OSError) and problem.errno else errno.EINVAL
        os.write(tell, about + number.to_bytes(_ERRNO_BYTES, "little"))
    finally:
        os._exit(127)
