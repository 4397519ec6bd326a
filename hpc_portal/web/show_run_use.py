"""What a run used over time, as plots beside what it had asked for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpc_portal.app.jobs.utilisation import NodeUse, RunUse, UsePoint
from hpc_portal.web.language import Language
from schedulers.jobspec import ResourceRequest
from workloads.template import N_

_LONG_SECONDS = 3 * 3600
_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class UsePlot:
    """One quantity over time, a line for each node; `json` is what static/js/curve.js draws."""

    title: str
    unit: str
    summary: str
    """The mean and the most, for those who see no plot."""
    json: str


def show_run_use(use: RunUse, asked: ResourceRequest, language: Language) -> list[UsePlot]:
    """One plot for each quantity that was measured."""
    gpus = sum(asked.gpus_per_node.values())
    plots = (
        (N_("CPU cores at work"), "", lambda point: point.cpu_cores, float(asked.cpus_per_node)),
        (
            N_("Memory"),
            "GiB",
            lambda point: point.memory_mib / _MIB_PER_GIB,
            asked.memory_mib_per_node / _MIB_PER_GIB,
        ),
        (N_("GPUs at work"), "%", lambda point: point.gpu_percent, 100.0 if gpus else None),
        (N_("GPU memory"), "GiB", _gpu_memory, None),
    )
    shown = [_plot(use, language, title, unit, read, limit) for title, unit, read, limit in plots]
    return [plot for plot in shown if plot]


def _gpu_memory(point: UsePoint) -> float | None:
    return None if point.gpu_memory_mib is None else point.gpu_memory_mib / _MIB_PER_GIB


def _plot(  # noqa: PLR0913, PLR0917 - one row of the table above
    use: RunUse,
    language: Language,
    title: str,
    unit: str,
    read: Callable[[UsePoint], float | None],
    limit: float | None,
) -> UsePlot | None:
    began = min((node.points[0].at for node in use.nodes), default=None)
    if began is None:
        return None
    last = max((node.points[-1].at - began).total_seconds() for node in use.nodes)
    divisor, x_label = (3600, N_("hours")) if last > _LONG_SECONDS else (60, N_("minutes"))

    def line(node: NodeUse) -> list[tuple[float, float]]:
        found = ((point, read(point)) for point in node.points)
        return [
            (round((point.at - began).total_seconds() / divisor, 3), round(value, 3))
            for point, value in found
            if value is not None
        ]

    lines = [(node.node or language.text(title), line(node)) for node in use.nodes]
    lines = [(name, points) for name, points in lines if points]
    if not lines:
        return None
    values = [value for _, points in lines for _, value in points]
    if limit is not None:
        lines.append((language.gettext(N_("asked for")), [(0.0, limit), (last / divisor, limit)]))
    label = language.text(x_label)
    return UsePlot(
        title=language.text(title),
        unit=unit,
        summary=_summary(values, unit, language),
        json=json.dumps([{"name": name, "x_label": label, "points": points} for name, points in lines]),
    )


def _summary(values: Sequence[float], unit: str, language: Language) -> str:
    mean, most = (
        f"{language.number(value, 1)} {unit}".rstrip() for value in (sum(values) / len(values), max(values))
    )
    return language.gettext(N_("%(mean)s on average, %(most)s at most"), mean=mean, most=most)
