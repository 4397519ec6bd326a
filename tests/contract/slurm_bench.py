"""A real Slurm cluster on the bench: its jobs run on one node of several, as a user of the cluster."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from schedulers.cluster import Node, NodeState
from schedulers.protocol import Submission
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster import config
from scripts.slurm_cluster.instance import Instance
from tests.contract.benches import Behaviour, Bench

GPU01 = Node("gpu01", NodeState.UP, cpus=64, memory_mib=512_000, gpus={"h100": 8})
USER, ACCOUNT = "alice", "lab"


@dataclass
class SlurmBench(Bench):
    """Every job names the one node, which nobody else uses."""

    node: Node = GPU01
    other_nodes: frozenset[str] = frozenset(config.NODES) - {GPU01.name}
    licenses: Mapping[str, int] = field(default_factory=lambda: {"vcs": 4, "primetime": 2})
    longest_walltime_seconds: int = 4 * 3600
    patience_seconds: float = 240.0
    """Slurm counts walltimes in minutes, and looks at them every half minute."""

    def submission(self, behaviour: Behaviour, **facts: Any) -> Submission:  # noqa: ANN401 - fields of JobSpec
        """Of a user whom the cluster knows."""
        facts.setdefault("nodelist", (self.node.name,))
        return replace(
            super().submission(behaviour, **facts), cluster_user=USER, project=ACCOUNT, cluster_uid=None
        )

    def workspace(self, job_id: UUID) -> Path:
        """On storage that the nodes share, open to the job's user."""
        made = super().workspace(job_id)
        for folder in (made, *made.parents[:4]):
            folder.chmod(0o777)
        return made

    async def let_pass(self, waited_seconds: float) -> None:
        """Real time passes; Slurm's is slower than ours."""
        await asyncio.sleep(max(0.1, waited_seconds / 20))


def slurm_scheduler(instance: Instance, folder: Path, *, over_tcp: bool = True) -> SlurmScheduler:
    """A backend for this cluster, not started; `folder` is where the key of its tokens is kept."""
    return SlurmScheduler(
        config.CLUSTER,
        slurm_client(instance, folder, over_tcp=over_tcp),
        admin_user="slurm",
        late_seconds=None,
    )


def slurm_client(instance: Instance, folder: Path, *, over_tcp: bool = True) -> SlurmClient:
    """A client that polls with the portal's own identity and mints tokens for everybody else's."""
    key = folder / "jwt_hs256.key"
    key.write_bytes(instance.jwt_key())
    key.chmod(0o600)
    return SlurmClient(
        instance.rest_url if over_tcp else f"unix://{instance.rest_socket}",
        MintedTokens(key),
        polling_user="hpcportal",
    )
