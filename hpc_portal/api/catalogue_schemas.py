"""Replies about what there is to use: templates, nodes, partitions, licences."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from hpc_portal.api.schemas import Reply
from schedulers.cluster import NodeState


class TemplateReply(Reply):
    """A template in the catalogue."""

    name: str
    title: str
    summary: str
    domain: str
    version: int | None = None
    """Of a template that the site has published; null: it comes with the portal."""


class TemplateDetailReply(TemplateReply):
    """A template with the JSON Schema of its parameters."""

    parameters_schema: dict[str, Any]
    fixed_script: str
    """Why its script may not be edited for one job; empty where it may, as `script` of a submission."""


class NodeReply(Reply):
    """One machine."""

    name: str
    state: NodeState
    cpus: int
    memory_mib: int
    gpus: dict[str, int]
    allocated_cpus: int
    allocated_memory_mib: int
    allocated_gpus: dict[str, int]
    reason: str
    missing_programs: Annotated[list[str], BeforeValidator(sorted)]
    """Commands of the job templates that its jobs would not find; of all others nothing is known."""


class PartitionReply(Reply):
    """A set of nodes with its own limits."""

    name: str
    nodes: list[str]
    max_walltime_seconds: int
    default_walltime_seconds: int
    max_nodes_per_job: int | None
    is_default: bool


class LicenseReply(Reply):
    """A licence feature, counted over the cluster."""

    feature: str
    total: int
    used: int
