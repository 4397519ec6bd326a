"""A network of hosts on one machine: a namespace for each, a router in the middle, cables that can be cut."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_CLONE_NEWNET = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Host:
    """A process that does nothing but keep a network namespace; both end with the tests."""

    name: str
    address: str
    keeper: subprocess.Popen[bytes]

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command here, as the process that was started."""
        return ("nsenter", f"--target={self.keeper.pid}", "--net", "--")

    def run(self, *command: str) -> None:
        """Run a command here.

        Raises:
            RuntimeError: it failed; says what it printed.
        """
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"{' '.join(command)}: {done.stderr}"
            raise RuntimeError(message)

    def enter(self) -> None:
        """Move the calling thread here; the others stay where they are."""
        with Path(f"/proc/{self.keeper.pid}/ns/net").open("rb") as namespace:
            if _libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def thread(self, work: Callable[[], None]) -> threading.Thread:
        """A thread that does its work here, not started."""

        def there() -> None:
            self.enter()
            work()

        return threading.Thread(target=there, daemon=True)

    def listen(self, *, backlog: int) -> socket.socket:
        """A socket that listens here, whichever thread accepts what comes."""
        found: list[socket.socket] = []
        opening = self.thread(lambda: found.append(socket.create_server((self.address, 0), backlog=backlog)))
        opening.start()
        opening.join()
        return found[0]


@dataclass
class Network:
    """Every host has one cable, to the router. A cut is silent: packets vanish, nobody is told.

    Needs root; the namespaces are our own, so that nothing of the machine's network changes.
    """

    hosts: dict[str, Host] = field(default_factory=dict)
    cuts: set[tuple[str, str]] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.router = _keep("router", "")
        self.router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in (*self.hosts.values(), self.router):
            with host.keeper:
                host.keeper.kill()

    def host(self, name: str) -> Host:
        """Connect one more."""
        number = len(self.hosts) + 1
        host = self.hosts[name] = _keep(name, f"10.77.{number}.2")
        router = f"10.77.{number}.1"
        ends = ("type", "veth", "peer", "name", "eth0", "netns", str(host.keeper.pid))
        self.router.run("ip", "link", "add", f"to-{number}", *ends)
        self.router.run("ip", "address", "add", f"{router}/24", "dev", f"to-{number}")
        self.router.run("ip", "link", "set", f"to-{number}", "up")
        host.run("ip", "link", "set", "lo", "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")
        host.run("ip", "route", "add", "default", "via", router)
        return host

    def cut(self, one: str, other: str) -> None:
        """Nothing passes between two hosts any more, in either direction."""
        self.cuts.add((one, other))
        self._rules("add", one, other)

    def heal(self) -> None:
        """Mend all cables."""
        for one, other in self.cuts:
            self._rules("del", one, other)
        self.cuts.clear()

    def _rules(self, verb: str, one: str, other: str) -> None:
        for source, target in ((one, other), (other, one)):
            ends = ("from", self.hosts[source].address, "to", self.hosts[target].address)
            self.router.run("ip", "rule", verb, "blackhole", *ends)


def _keep(name: str, address: str) -> Host:
    with_us = ("setpriv", "--pdeathsig", "KILL", "--")
    keeper = subprocess.Popen(
        [*with_us, "unshare", "--net", "--", "sh", "-c", "echo; exec sleep infinity"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdout
    if not keeper.stdout.readline():
        message = "no network namespace can be made here: the chaos suite needs root that may do so"
        raise RuntimeError(message)
    return Host(name, address, keeper)


def can_have_networks() -> bool:
    """Whether whoever runs the tests is root, as in CI; root that may not make a network fails."""
    return os.geteuid() == 0
