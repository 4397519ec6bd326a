"""A sweep and corners that have ended, as templates parse them from workspaces."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.e2e.web.city import NOW, City
from workloads import catalog

TRIALS = 24
SPACE = {
    "learning_rate": "float 0.0003 0.1 log",
    "hidden_units": "int 16 256",
    "optimiser": "choice sgd adam",
}


def add_job(
    city: City,
    template: str,
    parameters: Mapping[str, Any],
    **other: Any,  # noqa: ANN401 - of any column
) -> UUID:
    """A job that has ended, unless its columns say something `other`; its workspace is empty."""
    job_id = new_id()
    found = catalog.template(template)
    spec = found.render(found.validate(parameters))
    workspace = f"sao-bien/npu-verif/linh/{job_id}"
    (city.settings.effective_workspace_root / workspace).mkdir(parents=True)
    values = {
        "id": job_id,
        "organisation_id": city.organisations["sao-bien"],
        "project_id": city.projects["npu-verif"],
        "user_id": city.users["linh"],
        "name": template,
        "template": template,
        "parameters": dict(parameters),
        "spec": spec.model_copy(update={"partition": "main"}).model_dump(mode="json", exclude_defaults=True),
        "workspace": workspace,
        "partition": "main",
        "is_array": True,
        "phase": Phase.SETTLED,
        "state": JobState.COMPLETED,
        "scheduler": "danang",
        "scheduler_job_id": str(job_id.int % 10**9),
        "submitted_at": NOW,
        "dispatched_at": NOW,
        "started_at": NOW,
        "ended_at": NOW + timedelta(minutes=5),
        "settled_at": NOW + timedelta(minutes=5),
        "tasks_total": spec.task_count,
        "tasks_completed": spec.task_count,
        **other,
    }
    engine = create_engine(city.settings.effective_database_url)
    transact(engine, lambda connection: connection.execute(insert(Job).values(**values)))
    engine.dispose()
    city.workspaces[template] = city.settings.effective_workspace_root / workspace
    return job_id


def write(city: City, template: str, path: str, text: str) -> None:
    file = city.workspaces[template] / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def add_sweep(city: City) -> UUID:
    """Trial n reached 0.5 + n / 100; even ones used sgd."""
    job_id = add_job(city, "training-sweep", {"space": SPACE, "trials": TRIALS}, name="tune-digits")
    for task in range(TRIALS):
        best = 0.5 + task / 100
        values = {
            "learning_rate": 0.0003 * 1.25**task,
            "hidden_units": 16 + 10 * (task % 25),
            "optimiser": "adam" if task % 2 else "sgd",
        }
        result = {"values": values, "points": [[1, best / 2], [2, best]], "best": best, "end": "done"}
        write(city, "training-sweep", f"results/{task}.json", json.dumps(result))
    return job_id


def add_corners(city: City) -> UUID:
    """Three voltages at two temperatures: one corner misses a limit, one is invalid."""
    parameters = {"corners": ["ss"], "voltages": [0.9, 1.0, 1.1], "temperatures": [-40, 125]}
    job_id = add_job(city, "spice", parameters, name="ring-oscillator")
    for task in range(6):
        period = 1e-10 * (5.5 if task == 1 else 2 + task / 10)
        agreement = 1.5 if task == 5 else 1.0
        lines = [
            f"1 period {period:g}",
            "1 power 0.0004",
            f"1 agreement {agreement}",
            "1 swing 0.95",
            "1 exit_code 0",
        ]
        write(city, "spice", f"measures/{task}.txt", "\n".join(lines) + "\n")
        write(city, "spice", f"results/{task}", "exit_code=0\n")
    return job_id
