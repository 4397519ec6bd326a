"""What starts where: queue, nodes, licences and limits in; starts and pending reasons out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schedulers.tres import Tres


@dataclass(frozen=True, slots=True)
class ConcurrentLimits:
    """What one project may hold at the same time (GrpJobs and GrpTRES of a Slurm association)."""

    max_running_tasks: int | None = None
    max_tres: Mapping[Tres, int] = field(default_factory=dict)
    """By resource; an untyped GPU request counts under the type it was given, too."""
