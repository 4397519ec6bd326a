"""People who go on with their work while parts of the portal come and go: all through both web replicas."""

import itertools
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

REQUEST_SECONDS = 15.0
"""An answer that takes longer is asked for at the other replica."""
PATIENCE_SECONDS = 300.0
WITH_SLURM = os.environ.get("CHAOS_SLURM", "") == "1"
"""Whether a third of the jobs goes to Slurm, and Slurm's faults are among the others; see docs/chaos.md."""
ON_SLURM = "short"
"""A partition of its test cluster; where a job names none, it goes to Dask."""
NO_SPACE = 74
"""EX_IOERR of sysexits.h: how a job ends that could not write."""
SCRIPT = f"""#!/bin/bash
echo "${{HPC_ARRAY_TASK_ID:-0}} $HPC_RESTART_COUNT" >> starts || exit {NO_SPACE}
sleep 0.$((RANDOM % 4))
echo done || exit {NO_SPACE}
"""
"""Each start leaves a line behind: a second start of the same run would be seen."""


@dataclass
class Caller:
    """Asks one replica after the other until one answers: no sticky sessions, as behind a load balancer."""

    urls: Sequence[str]
    headers: dict[str, str]
    unhelped: int = 0
    """How many requests came to nothing, and were sent once more."""

    def __post_init__(self) -> None:
        self._turns = itertools.cycle(self.urls)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx has them
        """The first answer below 500.

        Raises:
            TimeoutError: nobody gave one for minutes.
        """
        headers = {**self.headers, **more.pop("headers", {})}
        last: object = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = httpx.request(
                    method,
                    f"{next(self._turns)}{path}",
                    headers=headers,
                    timeout=REQUEST_SECONDS,
                    verify=False,  # noqa: S501 - plain HTTP; to read all certificates takes 20 ms each time
                    trust_env=False,
                    **more,
                )
            except httpx.TransportError as problem:
                last = problem
            else:
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer
                last = answer.text
            self.unhelped += 1
            time.sleep(0.1)
        message = f"{method} {path}: {last!r}"
        raise TimeoutError(message)


@dataclass
class Work:
    """What a person does again and again until told to stop; the first problem ends it and is kept."""

    step: Callable[[int], None]
    pause_seconds: float
    begin: Callable[[], None] = lambda: None
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop = threading.Event()

    def __call__(self) -> None:
        """Work."""
        try:
            self.begin()
            for number in itertools.count():
                if self.stop.wait(self.pause_seconds):
                    return
                self.step(number)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test shows it
            self.problems.append(f"{type(problem).__name__}: {problem}")


@dataclass
class Designer:
    """Submits jobs, each under a key of its own, and holds and cancels some."""

    name: str
    caller: Caller
    dice: random.Random
    accepted: dict[str, float] = field(default_factory=dict)
    """When each was accepted, on the monotonic clock."""
    cancelled: set[str] = field(default_factory=set)
    """Asked to be."""

    def step(self, number: int) -> None:
        """One job, each third on Slurm where that takes part."""
        where = {"partition": ON_SLURM} if WITH_SLURM and number % 3 == 1 else {}
        array = {"array": {"expression": "0-2"}} if number % 4 == 0 else {}
        resources = {"walltime_seconds": 120, "memory_mib_per_node": 64}
        spec = {"name": f"{self.name}-{number}", "script": SCRIPT, "resources": resources, **where, **array}
        key = {"Idempotency-Key": f"{self.name}-{number}"}
        body = {"project": "chips", "spec": spec}
        job = self._must("POST", "/api/v1/jobs", json=body, headers=key)["id"]
        self.accepted[job] = time.monotonic()
        again = self._must("POST", "/api/v1/jobs", json=body, headers=key)["id"]
        assert again == job, f"one key, two jobs: {job} and {again}"
        match self.dice.randrange(8):
            case 0:
                self._must("POST", f"/api/v1/jobs/{job}/cancel")
                self.cancelled.add(job)
            case 1:
                for change in ("hold", "release"):
                    self.caller.ask("POST", f"/api/v1/jobs/{job}/changes", json={"change": change})

    def _must(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as httpx has them
        answer = self.caller.ask(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Browser:
    """Signed in once, at one replica; reads pages and submits by a page's form token at whichever is next."""

    caller: Caller
    accepted: dict[str, float] = field(default_factory=dict)

    def sign_in(self, username: str, password: str) -> None:
        """The cookie goes to every replica from now on."""
        form = {"username": username, "password": password}
        answer = self.caller.ask("POST", "/sign-in", data=form)
        cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        assert cookies, f"{answer.status_code} {answer.headers}"
        self.caller.headers["Cookie"] = cookies

    def step(self, number: int) -> None:
        """Read the list of jobs at one replica; submit at another with the token of that page."""
        page = self.caller.ask("GET", "/jobs")
        assert page.status_code == httpx.codes.OK, f"GET /jobs: {page.status_code} {page.headers}"
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token, "the page has no form token"
        key = {"Idempotency-Key": f"browser-{number}", "X-CSRF-Token": token[1]}
        resources = {"walltime_seconds": 120, "memory_mib_per_node": 64}
        spec = {"name": f"browser-{number}", "script": SCRIPT, "resources": resources}
        answer = self.caller.ask("POST", "/api/v1/jobs", json={"project": "chips", "spec": spec}, headers=key)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        self.accepted[answer.json()["id"]] = time.monotonic()


@dataclass
class Follower:
    """Reads the project's events, and goes on after the last one whenever the stream breaks."""

    urls: Sequence[str]
    token: str
    seen: list[int] = field(default_factory=list)
    resyncs: int = 0
    connections: int = 0

    def __post_init__(self) -> None:
        self._turns = itertools.cycle(self.urls)

    def step(self, _number: int) -> None:
        """One connection, until it breaks, or says nothing for some seconds."""
        headers = {"Authorization": f"Bearer {self.token}", "Last-Event-ID": str(self.last)}
        where = f"{next(self._turns)}/api/v1/projects/chips/events/stream"
        self.connections += 1
        try:
            with httpx.stream(
                "GET",
                where,
                headers=headers,
                timeout=REQUEST_SECONDS,
                verify=False,  # noqa: S501 - plain HTTP
                trust_env=False,
            ) as answer:
                if answer.is_success:
                    for event, sequence in _events(answer.iter_lines()):
                        self.resyncs += event == "resync"
                        self.seen.append(sequence)
        except httpx.TransportError:
            return

    @property
    def last(self) -> int:
        """The sequence of the last event; 0 when there was none."""
        return self.seen[-1] if self.seen else 0


def _events(lines: Iterator[str]) -> Iterator[tuple[str, int]]:
    """Kind and id of each event that has one."""
    kind, number = "", 0
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            number = int(value)
        elif not line and number:
            yield kind, number
            kind, number = "", 0
