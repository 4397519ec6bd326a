"""The resource fields that every template's form shares."""

from typing import Annotated

from pydantic import Field

from schedulers.jobspec import ResourceRequest
from workloads.template import N_, Parameters

JobName = Annotated[
    str,
    Field(
        title=N_("Job name"),
        description=N_("What you will look for in the list of jobs."),
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f/]+$",
    ),
]


class Resources(Parameters):
    """What a job, or each task of an array, needs while it runs."""

    cpus: int = Field(
        default=1,
        ge=1,
        le=4096,
        title=N_("CPUs"),
        description=N_("CPU cores; of each task when the job is an array."),
    )
    memory_mib: int = Field(
        default=1024,
        ge=16,
        le=64 * 1024**2,
        title=N_("Memory"),
        description=N_("A job that uses more is stopped as OUT_OF_MEMORY."),
        json_schema_extra={"unit": "MiB"},
    )
    walltime_seconds: int = Field(
        default=3600,
        ge=1,
        le=366 * 86_400,
        title=N_("Walltime"),
        description=N_("A job that runs longer is stopped as TIMEOUT; the price is held for this time."),
        json_schema_extra={"unit": "s"},
    )
    partition: str | None = Field(
        default=None,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$",
        title=N_("Partition"),
        description=N_("Empty takes the default one; cluster:partition where several clusters have it."),
    )

    def request(self) -> ResourceRequest:
        """The same, in the scheduler's words."""
        return ResourceRequest(
            cpus_per_task=self.cpus,
            memory_mib_per_node=self.memory_mib,
            walltime_seconds=self.walltime_seconds,
        )
