"""One cgroup (v2): what it limits, whether it is empty, whom the kernel killed in it, how all of it is ended.

Files are opened relative to a descriptor of the folder, since a sandbox shows no cgroup file system. The
manual is the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

import contextlib
import os
import time

SMALLEST_MIB = 8
"""No limit is smaller: the kernel counts a process's own tables and stacks, too."""
_EMPTY_ROUNDS, _EMPTY_PAUSE_SECONDS = 100, 0.001


class Cgroup:
    """A cgroup that exists, by an open descriptor of its folder."""

    def __init__(self, name: str, *, parent: int | None = None) -> None:
        """Open it: `name` is a path, below the folder that the descriptor `parent` stands for if given."""
        self._name, self._parent = name, parent
        self.descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)

    @classmethod
    def make(cls, name: str, *, parent: int | None = None) -> "Cgroup":
        """Make and open it; that it exists already is fine."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        return cls(name, parent=parent)

    def limit_memory(self, mib: int) -> None:
        """Count and limit all memory of its processes: no swap, and whoever goes beyond ends all of them."""
        self.write("memory.max", str(max(mib, SMALLEST_MIB) * 1024**2))
        self.write("memory.oom.group", "1")
        with contextlib.suppress(FileNotFoundError):  # a kernel without swap
            self.write("memory.swap.max", "0")

    def hand_to(self, uid: int, *names: str) -> None:
        """Let an account make cgroups inside, and write these files."""
        os.chown(self.descriptor, uid, -1)
        for name in names:
            os.chown(name, uid, -1, dir_fd=self.descriptor)

    def oom_kills(self) -> int:
        """How many processes were killed because the limit was reached."""
        return _counter(self.read("memory.events"), "oom_kill")

    def is_populated(self) -> bool:
        """Whether a living process is in it or below."""
        return bool(_counter(self.read("cgroup.events"), "populated"))

    def kill(self) -> None:
        """SIGKILL every process in it and below, also those that are being born. Returns at once."""
        self.write("cgroup.kill", "1")

    def empty(self) -> None:
        """Kill what lives in it, and wait a moment until that is gone."""
        for _ in range(_EMPTY_ROUNDS):
            if not self.is_populated():
                return
            self.kill()
            time.sleep(_EMPTY_PAUSE_SECONDS)

    def children(self) -> list[str]:
        """Names of the cgroups inside."""
        with os.scandir(self.descriptor) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    def remove(self) -> bool:
        """Kill what lives in it and remove it with all below; False when something will not die yet.

        The descriptor is closed when it is gone.
        """
        self.empty()
        for name in self.children():
            child = Cgroup(name, parent=self.descriptor)
            if not child.remove():
                child.close()
        try:
            os.rmdir(self._name, dir_fd=self._parent)
        except OSError:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Let go of the descriptor; the cgroup stays."""
        os.close(self.descriptor)

    def read(self, name: str) -> str:
        """The text of one of its files."""
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            return os.read(descriptor, 1 << 16).decode()
        finally:
            os.close(descriptor)

    def write(self, name: str, text: str) -> None:
        """Write one of its files, which must exist."""
        descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _counter(text: str, name: str) -> int:
    """A line of a flat keyed file: `oom_kill 3`."""
    words = (line.split() for line in text.splitlines())
    return next((int(value) for key, value in words if key == name), 0)
