"""What one node offers and how it treats tenants: the configuration of its supervisor and Dask plugin."""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

IsolationWish = Literal["auto", "sandbox", "user", "none"]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of the node."""

    index: int
    """Names it on this node: what placement hands out and reports show."""
    type: str
    """A slug such as `h100`."""
    minor: int | None = None
    """N of its /dev/nvidiaN; None for a GPU that was only declared."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All that a node must be told. Paths are absolute."""

    name: str
    state_dir: str
    """Folder of the supervisor's socket, journal and log; only its owner may enter it."""
    workspace_root: str
    """Job workspaces are `<root>/<organisation>/<account>/<cluster_user>/<job_id>`."""
    cpus: int
    memory_mib: int
    gpus: tuple[Gpu, ...] = ()
    runtime_paths: tuple[str, ...] = ()
    """Shown read-only to every job, their `bin` folders on PATH: Python environments, tool trees."""
    data_paths: tuple[str, ...] = ()
    """Shown read-only to every job: technology kits, data sets."""
    isolation: IsolationWish = "auto"
    allow_unisolated_tenants: bool = False
    """Serve several organisations although nothing keeps them apart. Unsafe."""
    orphan_grace_seconds: float | None = None
    """Kill every run when no worker has spoken for so long: a node that was given up must not go on."""
    idle_exit_seconds: float = 60.0
    """The supervisor leaves when nothing ran and no worker was connected for so long."""
    executor_idle_seconds: float = 30.0
    """How long a tenant's executor is kept warm without a run."""
    sample_seconds: float = 2.0
    cgroup: str = "auto"
    """Where runs get cgroups (v2) of their own: "auto", "off", or the path of one delegated to us.

    Read when the supervisor starts; a later change counts for the next one."""
    lowest_uid: int = 1000
    """Accounts below belong to the system: no job runs as one of them."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict for json.dumps."""
        return asdict(self)

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after a trip through JSON."""
        return cls(
            **{
                **json,
                "gpus": tuple(Gpu(**gpu) for gpu in json.get("gpus", ())),
                "runtime_paths": tuple(json.get("runtime_paths", ())),
                "data_paths": tuple(json.get("data_paths", ())),
            }
        )

    @property
    def gpus_by_type(self) -> dict[str, tuple[int, ...]]:
        """GPU indices by type, as NodeHello tells them."""
        types = sorted({gpu.type for gpu in self.gpus})
        return {kind: tuple(gpu.index for gpu in self.gpus if gpu.type == kind) for kind in types}


def declared_gpus(counts: dict[str, int]) -> tuple[Gpu, ...]:
    """GPUs as a setting declares them ({"h100": 2}), numbered from 0 in the order given."""
    types = [kind for kind, count in counts.items() for _ in range(count)]
    return tuple(Gpu(index, kind) for index, kind in enumerate(types))


def default_runtime_paths() -> tuple[str, ...]:
    """The running Python's own environment, so that jobs find its `python` and its packages."""
    paths = dict.fromkeys((sys.prefix, str(Path(sys.executable).resolve().parents[1]), sys.base_prefix))
    return tuple(path for path in paths if not path.startswith("/usr") or path.startswith("/usr/local/"))


def machine_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def machine_memory_mib() -> int:
    """Memory of the machine, or of the container when that is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            found.append(int(text))
    return min(found) // 1024**2
