"""Record what slurmrestd says, for each (Slurm release, API version), as the contract tests replay it.

    python -m scripts.record_slurm_wire [trixie|forky]

Starts a Slurm cluster of its own from each of two Debian releases, brings jobs into every state that
matters, and asks the same questions in every API version that this Slurm is recorded for. Instants, process
numbers and addresses are made stable; no request header is written, so no token is.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster.instance import Instance
from scripts.slurm_cluster.lifecycle import bring_up
from scripts.slurm_cluster.namespaces import take_down

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "contract" / "slurm_wire"
API_VERSIONS = {
    "trixie": ("v0.0.40", "v0.0.41", "v0.0.42"),  # Slurm 24.11
    "forky": ("v0.0.43", "v0.0.44", "v0.0.45"),  # Slurm 26.05, which speaks v0.0.42 too
}
"""By the Debian release whose Slurm speaks them."""
READER = "hpcportal"
ADMIN = "slurm"
EPOCH = 1_790_000_000
"""The instant that the recording seems to start at."""
ENVIRONMENT = ["PATH=/usr/bin:/bin"]
_PATIENCE_SECONDS = 60
_INSTANTS = range(1_600_000_000, 3_000_000_000)
_UNSTABLE = {
    "latency": 1000,
    "cpu_load": 100,
    "free_mem": {"set": True, "infinite": False, "number": 100_000},
    "boot_time": {"set": True, "infinite": False, "number": EPOCH - 3600},
    "last_busy": {"set": True, "infinite": False, "number": EPOCH},
    "slurmd_start_time": {"set": True, "infinite": False, "number": EPOCH - 60},
    "last_backfill": {"set": True, "infinite": False, "number": EPOCH},
    "last_update": {"set": True, "infinite": False, "number": EPOCH},
    "last_sched_evaluation": {"set": True, "infinite": False, "number": EPOCH},
    "microseconds": 250_000,
    "port": 17001,
    "operating_system": "Linux",
    "sockets": [],  # which core of 128 a job has: nobody reads it, and it is most of a reply
    "cores": [],
}
"""What takes the place of a value of the same type under this key."""


@dataclass(frozen=True)
class Scene:
    """One question."""

    name: str
    method: str
    path: str
    user: str = READER
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    sender: str = ""
    """Whose token is sent, where it is not the user's own."""


def main() -> int:
    """Record the named releases, or all."""
    for suite in sys.argv[1:] or API_VERSIONS:
        with cluster(suite) as instance:
            record(Recorder(instance, API_VERSIONS[suite][-1]), API_VERSIONS[suite])
    return 0


@contextmanager
def cluster(suite: str) -> Iterator[Instance]:
    """A fresh one, so that job numbers are the same each time."""
    instance = bring_up(f"record-wire-{suite}", suite=suite)
    try:
        yield instance
    finally:
        take_down(instance)


class Recorder:
    """Asks and writes down."""

    def __init__(self, instance: Instance, newest_api: str) -> None:
        self.instance = instance
        self._newest_api = newest_api
        self.started_at = int(time.time())
        key = instance.folder / "recorder.key"
        key.write_bytes(instance.jwt_key())
        self._tokens = MintedTokens(key)
        self._http = httpx.Client(base_url=instance.rest_url, timeout=60, trust_env=False)

    def ask(self, api: str, scene: Scene) -> httpx.Response:
        """The reply to one question."""
        headers = dict(self._tokens.headers(scene.sender or scene.user))
        headers["X-SLURM-USER-NAME"] = scene.user
        return self._http.request(
            scene.method,
            scene.path.replace("API", api),
            params=scene.query,
            json=scene.body,
            headers=headers,
        )

    def record(self, api: str, scene: Scene) -> None:
        """Ask, and write the exchange to its file."""
        response = self.ask(api, scene)
        try:
            reply: Any = response.json()
        except ValueError:
            reply = response.text
        release = self.release(api)
        exchange = {
            "slurm": release,
            "api": api,
            "request": {
                "method": scene.method,
                "path": scene.path.replace("API", api),
                "query": self.stable(dict(scene.query or {})),
                "user": scene.user,
                "body": self.stable(scene.body),
            },
            "status": response.status_code,
            "reply": self.stable(reply),
        }
        path = FOLDER / release / api / f"{scene.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(exchange, indent=1, ensure_ascii=False) + "\n")
        print(path.relative_to(FOLDER), response.status_code)

    def release(self, api: str) -> str:
        """`24.11.5`."""
        meta = self.ask(api, Scene("ping", "GET", "/slurm/API/ping")).json()["meta"]
        return str(meta["slurm"]["release"])

    def stable(self, value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
        """The same value without what differs from one recording to the next."""
        if key in _UNSTABLE and type(value) is type(_UNSTABLE[key]):
            return _UNSTABLE[key]
        if isinstance(value, dict):
            return {name: self.stable(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self.stable(part) for part in value]
        if isinstance(value, int) and value in _INSTANTS:
            return EPOCH + max(value - self.started_at, 0)
        return self._stable_text(value) if isinstance(value, str) else value

    def _stable_text(self, text: str) -> str:
        text = text.replace(str(self.instance.workspace), "/workspace")
        text = re.sub(r"0x[0-9a-f]{6,}", "0x0", text)
        text = re.sub(r"\[localhost\]:\d+\(fd:\d+\)", "[localhost]:1(fd:1)", text)
        return re.sub(r"^uts(\d+)$", lambda found: f"uts{self.stable(int(found[1]))}", text)

    def submit(self, **job: Any) -> int:  # noqa: ANN401 - JSON
        """A job of alice's; its number."""
        body = {"job": job_of(self.instance, **job)}
        reply = self.ask(self._newest_api, Scene("", "POST", "/slurm/API/job/submit", "alice", body=body))
        return int(reply.json()["job_id"])

    def wait(self, job: int, reached: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Until all records of a job are as wanted.

        Raises:
            TimeoutError: they never were.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            records = self.ask(self._newest_api, Scene("", "GET", f"/slurm/API/job/{job}")).json()["jobs"]
            if records and reached(records):
                return
            time.sleep(0.2)
        message = f"job {job} never got there: {[record['job_state'] for record in records]}"
        raise TimeoutError(message)


def record(recorder: Recorder, api_versions: Sequence[str]) -> None:
    """One scene in all versions before anything is changed."""
    facts = set_the_stage(recorder)
    for api in api_versions:
        for scene in reads(facts):
            recorder.record(api, scene)
    for api in api_versions:
        for scene in writes(recorder, facts):
            recorder.record(api, scene)


def job_of(instance: Instance, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A small job, changed."""
    return {
        "name": "wire",
        "account": "chips",
        "partition": "short",
        "current_working_directory": str(instance.workspace),
        "environment": ENVIRONMENT,
        "time_limit": {"set": True, "infinite": False, "number": 5},
        "comment": "hpc-portal:0190a5f0-0000-7000-8000-000000000001",
        "script": "#!/bin/sh\ntrue\n",
        **changes,
    }


def set_the_stage(recorder: Recorder) -> dict[str, int]:
    """Jobs in every state that matters, a reservation, and a QOS with limits; then nothing moves."""
    run = recorder.instance.run
    run(
        *("sacctmgr", "-i", "add", "qos", "wire", "set", "GrpTRESMins=cpu=600,gres/gpu=120"),
        *("GrpTRES=cpu=13", "MaxTRESPerUser=cpu=15", "MaxWall=31", "GrpJobs=21", "GrpSubmit=22"),
        *("MaxJobsPerUser=23", "MaxSubmitJobsPerUser=24", "flags=DenyOnLimit,NoDecay", "description=wire"),
    )
    run("sacctmgr", "-i", "modify", "user", "bob", "where", "account=chips", "set", "GrpTRESMins=cpu=77")
    run(
        *("scontrol", "create", "reservation", "ReservationName=upkeep", "StartTime=now+1day"),
        *("Duration=60", "Nodes=eda02", "Users=root", "Flags=MAINT"),
    )
    completed = recorder.submit(
        script="#!/bin/sh\necho done\n", tres_per_job="gres/gpu:h100:2", licenses="vcs:1", partition="gpu"
    )
    failed = recorder.submit(script="#!/bin/sh\nexit 3\n")
    killed = recorder.submit(script="#!/bin/sh\nkill -TERM $$\n")
    requeued = recorder.submit(script="#!/bin/sh\ntrue\n", requeue=True)
    for job in (completed, failed, killed, requeued):
        recorder.wait(job, all_in("COMPLETED", "FAILED"))
    run("scontrol", "requeue", str(requeued))
    recorder.wait(requeued, lambda jobs: jobs[0]["restart_cnt"] == 1 and all_in("COMPLETED")(jobs))
    array = recorder.submit(
        script="#!/bin/sh\nsleep 1000\n", array="0-5%2", partition="gpu", tres_per_job="gres/gpu:l40s:1"
    )
    recorder.wait(array, lambda jobs: sum(job["job_state"] == ["RUNNING"] for job in jobs) == 2)  # noqa: PLR2004
    held = recorder.submit(hold=True)
    recorder.wait(held, lambda jobs: jobs[0]["state_reason"] == "JobHeldUser")
    return {"completed": completed, "failed": failed, "killed": killed, "requeued": requeued} | {
        "array": array,
        "held": held,
    }


def all_in(*states: str) -> Callable[[list[dict[str, Any]]], bool]:
    """Whether every record is in one of these states, and in no other besides."""
    return lambda jobs: all(job["job_state"] in [[state] for state in states] for job in jobs)


def reads(facts: Mapping[str, int]) -> Iterator[Scene]:
    """What changes nothing."""
    now = int(time.time())
    window = {
        "start_time": f"uts{now - 3600}",
        "end_time": f"uts{now + 3600}",
        "show_duplicates": "true",
        "disable_truncate_usage_time": "true",
    }
    yield Scene("ping", "GET", "/slurm/API/ping")
    yield Scene("jobs_state", "GET", "/slurm/API/jobs/state")
    yield Scene("jobs_state_of_array", "GET", "/slurm/API/jobs/state", query={"job_id": str(facts["array"])})
    yield Scene("jobs", "GET", "/slurm/API/jobs")
    for name in ("completed", "failed", "killed", "requeued", "array", "held"):
        yield Scene(f"job_{name}", "GET", f"/slurm/API/job/{facts[name]}")
    yield Scene("job_unknown", "GET", "/slurm/API/job/999999")
    for name in ("nodes", "partitions", "licenses", "reservations"):
        yield Scene(name, "GET", f"/slurm/API/{name}")
    yield Scene("accounting", "GET", "/slurmdb/API/jobs", query=window)
    for name in ("qos", "accounts", "users", "associations", "tres"):
        yield Scene(name, "GET", f"/slurmdb/API/{name}")
    yield Scene("unknown_url", "GET", "/slurm/API/nonsense")


def writes(recorder: Recorder, facts: Mapping[str, int]) -> Iterator[Scene]:
    """What changes something, or would."""
    held = str(facts["held"])

    def submit(name: str, **changes: Any) -> Scene:  # noqa: ANN401 - JSON
        body = {"job": job_of(recorder.instance, **changes)}
        return Scene(name, "POST", "/slurm/API/job/submit", "alice", body=body)

    yield submit("submit")
    yield submit("submit_held", hold=True)
    yield submit("submit_refused", partition="nowhere")
    yield submit("submit_unknown_field", no_such_field=1)
    stranger = submit("submit_with_token_of_another")
    yield Scene(stranger.name, stranger.method, stranger.path, "bob", body=stranger.body, sender="alice")
    yield Scene("update", "POST", f"/slurm/API/job/{held}", "alice", body={"nice": 7})
    yield Scene("update_refused", "POST", f"/slurm/API/job/{held}", "bob", body={"nice": 8})
    jobs = {"jobs": [str(facts["completed"]), "999999", held]}
    yield Scene("cancel_refused", "DELETE", "/slurm/API/jobs", "bob", body=jobs)
    yield Scene("cancel", "DELETE", "/slurm/API/jobs", "alice", body={"jobs": [f"{facts['array']}_5"]})
    qos = {"qos": [{"name": "made", "limits": {"max": {"tres": {"total": []}}}}]}
    yield Scene("put_qos", "POST", "/slurmdb/API/qos", ADMIN, body=qos)
    yield Scene("put_qos_refused", "POST", "/slurmdb/API/qos", "alice", body=qos)


if __name__ == "__main__":
    raise SystemExit(main())
