"""Streams resume exactly: no gap, no repeat, and an end when there is nothing more to tell."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Connection, insert, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import transact
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from schedulers.jobstate import JobState
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit


@dataclass(frozen=True)
class Message:
    event: str
    id: str
    data: Any


@contextmanager
def stream(client: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[Message]]:
    with client.stream("GET", f"/api/v1{path}", headers=headers) as reply:
        assert reply.status_code == 200, reply.read()
        assert reply.headers["content-type"].startswith("text/event-stream")
        yield messages(reply)


def messages(reply: httpx.Response) -> Iterator[Message]:
    fields: dict[str, str] = {}
    for line in reply.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "event" in fields:
            yield Message(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def tell(portal: Portal, job_id: str, kind: str) -> None:
    event = Event(UUID(job_id), portal.city.chips.project_id, kind, {})
    transact(
        portal.city.services.engine,
        lambda connection: events.record(connection, [event], at=datetime.now(UTC)),
    )


def log_file(portal: Portal, job_id: str) -> Path:
    services = portal.city.services
    folder = services.settings.effective_workspace_root / "chips-org" / "chips" / "chips-member" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"slurm-{job_id}.out"


def end_job(portal: Portal, job_id: str) -> None:
    def work(connection: Connection) -> None:
        values = {"phase": Phase.ENDED, "state": JobState.COMPLETED, "ended_at": datetime.now(UTC)}
        connection.execute(update(Job).where(col(Job.id) == UUID(job_id)).values(values))
        told = Event(UUID(job_id), portal.city.chips.project_id, "job.state", {"state": "COMPLETED"})
        events.record(connection, [told], at=datetime.now(UTC))

    transact(portal.city.services.engine, work)


def test_a_stream_tells_what_happens_from_now_on_and_resumes_without_gap_or_repeat(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        with stream(client, f"/jobs/{job_id}/events/stream?after=0") as first:
            seen = [next(first)]
            tell(portal, job_id, "job.one")
            seen.append(next(first))
        tell(portal, job_id, "job.two")
        tell(portal, job_id, "job.three")
        resume = {"Last-Event-ID": seen[-1].id}
        with stream(client, "/projects/chips/events/stream", **resume) as again:
            seen += [next(again), next(again)]
            tell(portal, job_id, "job.four")
            seen.append(next(again))

    kinds = [message.data["kind"] for message in seen]
    assert kinds == ["job.submitted", "job.one", "job.two", "job.three", "job.four"]
    assert {message.event for message in seen} == {"job"}
    assert [int(message.id) for message in seen] == [message.data["sequence"] for message in seen]


def test_one_tenants_events_never_reach_the_other(portal: Portal) -> None:
    rivals = portal.city.rivals
    with (
        portal.client(portal.city.chips.member) as ours,
        portal.client(rivals.member) as theirs,
        stream(theirs, "/events/stream?after=0") as listening,
    ):
        job_id = submit(ours).json()["id"]
        tell(portal, job_id, "job.secret")
        body = {"project": "rivals", "spec": {"name": "theirs", "argv": ["true"]}}
        other = theirs.post("/api/v1/jobs", json=body).json()["id"]
        first = next(listening)
    assert first.data["job_id"] == other


def test_a_stream_that_missed_too_much_says_so(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        event = Event(UUID(job_id), portal.city.chips.project_id, "job.state", {})
        transact(
            portal.city.services.engine,
            lambda connection: events.record(connection, [event] * 2500, at=datetime.now(UTC)),
        )
        with stream(client, f"/jobs/{job_id}/events/stream?after=1") as listening:
            first = next(listening)
            tell(portal, job_id, "job.next")
            second = next(listening)

    assert first.event == "resync"
    assert (second.event, second.data["kind"]) == ("job", "job.next")
    assert int(second.id) == int(first.id) + 1


def test_a_log_streams_line_by_line_and_ends_with_its_task(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        path = f"/jobs/{job_id}/log/stream"
        with stream(client, path) as listening:
            file = log_file(portal, job_id)
            with file.open("a", encoding="utf-8") as log:
                log.write("một\nhai\nba")
                log.flush()
                first = collect_lines(listening, 2)
                log.write(" rưỡi\nbốn")
            rest = collect_lines(listening, 1)
            end_job(portal, job_id)
            rest += collect_lines(listening, 1)
            end = next(listening)
        with stream(client, path, **{"Last-Event-ID": "3"}) as resumed:
            again = collect_lines(resumed, 1)
            assert next(resumed).event == "end"

    assert first == [(0, "một"), (1, "hai")]
    assert rest == [(2, "ba rưỡi"), (3, "bốn")]
    assert (end.event, end.id) == ("end", "4")
    assert again == [(3, "bốn")]


def collect_lines(listening: Iterator[Message], count: int) -> list[tuple[int, str]]:
    """Numbered lines from as many messages as it takes."""
    lines: list[tuple[int, str]] = []
    while len(lines) < count:
        message = next(listening)
        if message.event == "partial":  # of a line that has no end yet
            continue
        assert message.event == "lines"
        lines += [(message.data["first"] + index, text) for index, text in enumerate(message.data["lines"])]
    assert len(lines) == count
    return lines


def test_the_log_of_one_array_task_ends_before_the_job_does(portal: Portal) -> None:
    spec = {"name": "sweep", "argv": ["true"], "array": {"expression": "0-9"}}
    with portal.client(portal.city.chips.member) as client:
        job_id = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec}).json()["id"]
        file = log_file(portal, job_id).with_name(f"slurm-{job_id}_7.out")
        file.write_text("done\n")
        now = datetime.now(UTC)
        row = {
            "job_id": UUID(job_id),
            "task_index": 7,
            "attempt": 0,
            "state": JobState.COMPLETED,
            "placement": {"nodes": ["n1"]},
            "placed_at": now,
            "started_at": now,
            "ended_at": now,
        }
        transact(
            portal.city.services.engine, lambda connection: connection.execute(insert(JobTask).values(row))
        )
        with stream(client, f"/jobs/{job_id}/log/stream?task=7") as listening:
            assert collect_lines(listening, 1) == [(0, "done")]
            assert next(listening).event == "end"
        tasks = client.get(f"/api/v1/jobs/{job_id}/tasks").json()
        assert client.get(f"/api/v1/jobs/{job_id}/log?task=10").status_code == 404
        pending = client.get(f"/api/v1/jobs/{job_id}/log?task=8").json()

    assert [(task["task_index"], task["nodes"]) for task in tasks["items"]] == [(7, ["n1"])]
    assert (pending["lines"], pending["has_ended"]) == ([], False)


def test_the_table_is_read_only_while_somebody_listens(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        for _ in range(2):
            with stream(client, "/events/stream") as listening:
                tell_soon(portal, job_id, listening)
    hub = portal.hub
    deadline = time.monotonic() + 30
    while (hub.follower_count or hub.is_reading) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (hub.follower_count, hub.is_reading) == (0, False)


def tell_soon(portal: Portal, job_id: str, listening: Iterator[Message]) -> None:
    """A stream that starts "now" may open after an event was written: tell until one arrives."""
    deadline = time.monotonic() + 30
    while portal.hub.follower_count == 0 or not portal.hub.is_reading:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    tell(portal, job_id, "job.now")
    assert next(listening).data["kind"] == "job.now"


def test_a_stream_needs_a_valid_token(portal: Portal) -> None:
    with portal.client() as stranger:
        assert stranger.get("/api/v1/events/stream").status_code == 401
