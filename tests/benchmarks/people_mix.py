"""What signed-in people ask for, how often, and what their browsers send with it."""

import gzip
import json
import re
from dataclasses import dataclass, field
from random import Random

from tests.benchmarks.http_connections import Answer, request_head

SUBMIT = "submit a job"
REFRESH = "page refreshes itself"
BARE = "bare page"
WEIGHTS = {
    "list of jobs": 26,
    "a job": 24,
    "start page": 12,
    "campaigns": 6,
    "notices": 4,
    "quota": 4,
    "form": 4,
    "clusters": 2,
    "jobs, API": 8,
    "a job, API": 6,
    SUBMIT: 4,
}
"""Of a hundred requests; pages that refresh themselves come on top."""
_PATHS = {
    "list of jobs": "/jobs",
    "a job": "/jobs/{job}",
    "start page": "/",
    "campaigns": "/campaigns",
    "notices": "/notices",
    "quota": "/quota",
    "form": "/submit/rtl-regression",
    "clusters": "/clusters",
    "jobs, API": "/api/v1/jobs",
    "a job, API": "/api/v1/jobs/{job}",
    SUBMIT: "/api/v1/jobs",
    REFRESH: "/jobs",
    BARE: "/bare/page",
}
_STREAMS = ("jobs=true", "jobs=true", "jobs=true&also=clusters", "job={job}")
_TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
_SPEC = {
    "name": "load",
    "argv": ["/bin/true"],
    "resources": {"walltime_seconds": 60, "memory_mib_per_node": 64},
}


@dataclass
class Person:
    """Somebody with a session, and the CSRF token of the last page that was opened."""

    cookie: str
    project: str
    jobs: list[str]
    csrf: str = ""
    kind_of_stream: str = field(default="", init=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Accept-Encoding": "gzip", "Accept-Language": "vi"}

    def read(self, answer: Answer) -> None:
        """Keep the token of a page, compressed or not."""
        page = gzip.decompress(answer.body) if answer.body[:2] == b"\x1f\x8b" else answer.body
        found = _TOKEN.search(page)
        assert found, page[:300]
        self.csrf = found[1].decode()


def request_of(person: Person, kind: str, lot: Random) -> tuple[bytes, bytes]:
    """Head and body of a request of this kind."""
    path = _PATHS[kind].format(job=lot.choice(person.jobs))
    if kind == SUBMIT:
        body = json.dumps({"project": person.project, "spec": _SPEC}).encode()
        more = {
            "X-CSRF-Token": person.csrf,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Sec-Fetch-Site": "same-origin",
        }
        return request_head("POST", path, person.headers | more), body
    more = {"HX-Request": "true"} if kind == REFRESH else {}
    return request_head("GET", path, person.headers | more), b""


def stream_of(person: Person, lot: Random) -> bytes:
    """The head of a page's event stream."""
    query = lot.choice(_STREAMS).format(job=lot.choice(person.jobs))
    return request_head("GET", f"/live?{query}", person.headers | {"Accept": "text/event-stream"})
