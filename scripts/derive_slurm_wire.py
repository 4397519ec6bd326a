"""Derive recordings of slurmrestd for API versions that the test cluster's Slurm does not speak.

    python -m scripts.derive_slurm_wire

Each starts from the recording of the version before it and applies the differences that SchedMD published
(OpenAPI release notes and change logs of the release, and its generated OpenAPI specification), checked
against replies of these releases that other projects have published. Every derived file says so under
`derived`: replace it by a recording as soon as such a Slurm can be run.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "contract" / "slurm_wire"
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Difference:
    """What one release changed."""

    release: str
    api: str
    source: str
    jobs: Change
    accounted_jobs: Change
    partitions: Change
    pings: Change


def derive_all(folder: Path) -> None:
    """Write the folders of all derived versions, each from the one before."""
    base = max(path for path in folder.glob("*/v0.0.42") if is_recorded(path))
    for difference in DIFFERENCES:
        target = folder / difference.release / difference.api
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(base.glob("*.json")):
            exchange = derive(json.loads(path.read_text()), difference)
            (target / path.name).write_text(json.dumps(exchange, indent=1, ensure_ascii=False) + "\n")
        base = target


def is_recorded(path: Path) -> bool:
    """Whether the files in a folder came from a real slurmrestd."""
    return "derived" not in json.loads(next(path.glob("*.json")).read_text())


def derive(exchange: dict[str, Any], difference: Difference) -> dict[str, Any]:
    """One exchange as the next version would have it."""
    old = exchange["api"]
    derived: dict[str, Any] = {
        "derived": f"from {exchange['slurm']} {old}, by {difference.source}",
        **{key: copy.deepcopy(value) for key, value in exchange.items() if key != "derived"},
        "slurm": difference.release,
        "api": difference.api,
    }
    request, reply = derived["request"], derived["reply"]
    request["path"] = request["path"].replace(old, difference.api)
    if not isinstance(reply, dict):
        return derived
    if "meta" in reply:
        reply["meta"]["plugin"]["data_parser"] = f"data_parser/{difference.api}"
        major, minor, micro = difference.release.split(".")
        reply["meta"]["slurm"]["release"] = difference.release
        reply["meta"]["slurm"]["version"] = {"major": major, "micro": micro, "minor": minor}
    is_state = "/jobs/state" in request["path"]
    in_accounting = request["path"].startswith("/slurmdb/")
    for key, change in (
        ("jobs", difference.accounted_jobs if in_accounting else difference.jobs),
        ("partitions", difference.partitions),
        ("pings", difference.pings),
    ):
        for record in [] if is_state else reply.get(key) or []:
            change(record)
    return derived


def nothing(record: dict[str, Any]) -> None:
    """This kind of record did not change."""


def job_43(job: dict[str, Any]) -> None:
    """Paths as the user gave them, the expanded ones beside; licences as allocated; segments."""
    default = "slurm-%A_%a.out" if job["array_job_id"]["number"] else "slurm-%j.out"
    job["stdout_expanded"], job["standard_output"] = job["standard_output"], default
    job["stderr_expanded"], job["standard_error"] = job["standard_error"], default
    job["stdin_expanded"] = job["standard_input"] = ""
    job["licenses_allocated"] = job["licenses"] if job["nodes"] else ""
    job["segment_size"] = 0


def accounted_43(job: dict[str, Any]) -> None:
    """Segments, requested reservations, and a time limit for steps."""
    job["segment_size"] = 0
    job["reservation"]["requested"] = ""
    for step in job["steps"]:
        step["time"]["limit"] = {"set": False, "infinite": True, "number": 0}


def partition_43(partition: dict[str, Any]) -> None:
    """The topology."""
    partition["topology"] = ""


def job_44(job: dict[str, Any]) -> None:
    """Stderr is empty unless it was asked for; the submit line; ids of steps as objects."""
    job["standard_error"] = job["stderr_expanded"] = ""
    job["submit_line"] = ""
    unset = {"set": False, "infinite": False, "number": 0}
    number = {"set": True, "infinite": False, "number": job["job_id"]}
    job["step_id"] = {"sluid": "", "job_id": number, "step_het_component": unset, "step_id": "entire"}


def job_45(job: dict[str, Any]) -> None:
    """Automatic reduction of memory; `shared` is empty and `power` is gone."""
    job["shared"] = []
    job["memory_update_delay"] = job["memory_update_margin"] = 0
    job["container_type"] = ""
    del job["power"]


def accounted_45(job: dict[str, Any]) -> None:
    """Slurm's new unique ids, and how nodes were shared."""
    job["sluid"] = job["original_sluid"] = ""
    job["exclusive"] = job["oversubscribe"] = "NO"


def partition_45(partition: dict[str, Any]) -> None:
    """Flags, among them which partition is the default, and how its nodes are shared."""
    partition["flags"] = ["DEFAULT"] if partition["name"] == "short" else []
    partition["partition"] |= {"exclusive": "NO", "oversubscribe": "NO"}
    partition["preempt_mode"] = ["CLUSTER_GLOBAL"]
    partition["cpus"]["task_binding"] = []
    partition["select_type"] = ["NONE"]


def ping_45(ping: dict[str, Any]) -> None:
    """A status in words."""
    ping["status"] = "No error"


DIFFERENCES = (
    Difference(
        "25.05.0",
        "v0.0.43",
        "the change log and OpenAPI release notes of Slurm 25.05",
        jobs=job_43,
        accounted_jobs=accounted_43,
        partitions=partition_43,
        pings=nothing,
    ),
    Difference(
        "25.11.0",
        "v0.0.44",
        "the change log and OpenAPI release notes of Slurm 25.11",
        jobs=job_44,
        accounted_jobs=nothing,
        partitions=nothing,
        pings=nothing,
    ),
    Difference(
        "26.05.0",
        "v0.0.45",
        "the change log of Slurm 26.05 and the OpenAPI specification that it generates",
        jobs=job_45,
        accounted_jobs=accounted_45,
        partitions=partition_45,
        pings=ping_45,
    ),
)


if __name__ == "__main__":
    derive_all(FOLDER)
