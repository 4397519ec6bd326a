"""Stages of a netlist in topological levels: a stage comes after all that drive it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.netlist import ONE, ZERO, Instance


@dataclass(frozen=True)
class Stage:
    """One output of one instance, and the nets that it waits for."""

    instance: Instance
    pin: str
    output: str
    inputs: tuple[str | None, ...]
    """None is a start that no net drives: a clock edge."""


def levelize(stages: Sequence[Stage], inputs: Iterable[str]) -> list[list[Stage]]:
    """The stages by level (Kahn 1962); within a level in the given order.

    Raises:
        DesignError: a net has two drivers or none, or stages form a loop.
    """
    started = {ZERO, ONE, *inputs}
    drivers = _drivers(stages, started)
    waiting: dict[str, int] = {}
    readers: dict[str, list[Stage]] = {}
    for stage in stages:
        pending = {net for net in stage.inputs if net is not None and net not in started}
        for net in pending:
            if net not in drivers:
                raise DesignError(f"the net {net} has no driver", line=stage.instance.line)
            readers.setdefault(net, []).append(stage)
        waiting[stage.output] = len(pending)
    levels = []
    ready = [stage for stage in stages if waiting[stage.output] == 0]
    while ready:
        levels.append(ready)
        following = []
        for reader in (reader for stage in ready for reader in readers.get(stage.output, ())):
            waiting[reader.output] -= 1
            if waiting[reader.output] == 0:
                following.append(reader)
        ready = following
    stuck = next((stage for stage in stages if waiting[stage.output]), None)
    if stuck is not None:
        problem = f"the net {stuck.output} is in or behind a combinational loop"
        raise DesignError(problem, line=stuck.instance.line)
    return levels


def _drivers(stages: Sequence[Stage], started: Collection[str]) -> dict[str, Stage]:
    drivers: dict[str, Stage] = {}
    for stage in stages:
        if stage.output in drivers or stage.output in started:
            raise DesignError(f"the net {stage.output} has two drivers", line=stage.instance.line)
        drivers[stage.output] = stage
    return drivers
