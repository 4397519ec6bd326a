"""Campaigns of any size straight into a database, with results that can be told from the task's number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert

from hpc_portal.app.campaigns.read_results import sums_by_test
from hpc_portal.app.campaigns.tables import Campaign, CampaignResult, CampaignRun, CampaignTest, RunKind
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from workloads.template import Verdict

CAUSES = 12
FAILS_EVERY = 40
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose campaign it is."""

    organisation_id: UUID
    project_id: UUID
    user_id: UUID
    cluster: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How large it is, and how its results differ from those of another night."""

    tests: int
    seeds: int
    shift: int = 0
    """Other tasks fail."""
    slower: int = 1
    """Every task of the first test takes so many times as long."""
    name: str = "nightly"


def seed_campaign(connection: Connection, owner: Owner, shape: Shape, *, at: datetime) -> UUID:
    """A campaign that is over and read: each 40th task failed, for one of twelve causes."""
    job_id, total = new_id(), shape.tests * shape.seeds
    failed = sum(_has_failed(index, shape) for index in range(total))
    parameters = {
        "name": shape.name,
        "tests": [f"test_{number:04}" for number in range(shape.tests)],
        "seeds": shape.seeds,
    }
    connection.execute(
        insert(Job).values(
            id=job_id,
            organisation_id=owner.organisation_id,
            project_id=owner.project_id,
            user_id=owner.user_id,
            name=shape.name,
            template="rtl-regression",
            parameters=parameters,
            spec=_spec(shape).model_dump(mode="json", exclude_defaults=True),
            workspace=f"seeded/{job_id}",
            partition="main",
            is_array=True,
            phase=Phase.SETTLED,
            state=JobState.FAILED if failed else JobState.COMPLETED,
            scheduler=owner.cluster,
            scheduler_job_id=str(job_id.int % 10**9),
            submitted_at=at,
            dispatched_at=at,
            started_at=at,
            ended_at=at + timedelta(hours=1),
            settled_at=at + timedelta(hours=1),
            tasks_total=total,
            tasks_completed=total - failed,
            tasks_failed=failed,
        )
    )
    connection.execute(
        insert(Campaign).values(
            id=job_id,
            project_id=owner.project_id,
            user_id=owner.user_id,
            name=shape.name,
            template="rtl-regression",
            created_at=at,
        )
    )
    connection.execute(
        insert(CampaignRun).values(
            job_id=job_id,
            campaign_id=job_id,
            number=0,
            kind=RunKind.FIRST,
            results=total,
            is_read=True,
            metrics={"coverage_total": [80.0 + shape.shift, "%"]},
        )
    )
    rows = list(_rows(job_id, shape))
    for first in range(0, total, _BATCH):
        connection.execute(insert(CampaignResult), rows[first : first + _BATCH])
    connection.execute(insert(CampaignTest), sums_by_test(rows))
    return job_id


def _has_failed(index: int, shape: Shape) -> bool:
    return (index + shape.shift) % FAILS_EVERY == 0


def _rows(job_id: UUID, shape: Shape) -> Iterator[dict[str, Any]]:
    for index in range(shape.tests * shape.seeds):
        number, seed = divmod(index, shape.seeds)
        failed = _has_failed(index, shape)
        cause = f"TB_ERROR [CHECK_{index // FAILS_EVERY % CAUSES}] t=* mismatch: got * expected *"
        row = f"test_{number:04}"
        yield {
            "job_id": job_id,
            "task_index": index,
            "row_name": row,
            "column_name": str(seed + 1),
            "label": f"{row} seed {seed + 1}",
            "verdict": Verdict.FAIL if failed else Verdict.PASS,
            "build": f"{shape.shift:064x}",
            "wall_ms": (1000 + index % 100) * (shape.slower if number == 0 else 1),
            "length": 100.0 + index,
            "signature": cause if failed else "",
            "line": cause.replace("*", str(index)) if failed else "",
            "file": f"logs/{row}-{seed + 1}.log" if failed else "",
            "line_number": 7 if failed else 0,
            "metrics": {},
            "artefacts": [],
        }


def _spec(shape: Shape) -> JobSpec:
    return JobSpec(
        name=shape.name,
        script="#!/bin/bash\n",
        partition="main",
        resources=ResourceRequest(cpus_per_task=1, memory_mib_per_node=256, walltime_seconds=600),
    )
