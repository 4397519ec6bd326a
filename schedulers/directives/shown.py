"""The value of a JobSpec's field as a person reads it, by its dotted name. Pure."""

from datetime import datetime
from functools import reduce

from schedulers.jobspec import ArraySpec, Dependency, JobSpec, SignalTarget, WarningSignal
from schedulers.units import format_memory, format_walltime


def shown(spec: JobSpec, field: str) -> str:
    """`8 GiB` for `resources.memory_mib_per_node`; "" where nothing is asked for."""
    value: object = reduce(getattr, field.split("."), spec)
    match field.rpartition(".")[2], value:
        case _, None:
            return ""
        case "memory_mib_per_node", int():
            return format_memory(value)
        case "walltime_seconds", int():
            return format_walltime(value)
        case _:
            return _text(value)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    if isinstance(value, dict):
        return ",".join(f"{name}:{amount}" if name else str(amount) for name, amount in value.items())
    return _simple(value)


def _simple(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case ArraySpec():
            return value.expression
        case WarningSignal():
            prefix = "B:" if value.target is SignalTarget.SCRIPT else ""
            return f"{prefix}{value.name}@{value.seconds_before_end}"
        case Dependency():
            return f"{value.kind}:{value.job_id}"
        case _:
            return str(value)
