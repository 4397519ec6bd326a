"""Writes what a JobSpec asks for as #SBATCH lines, so that its script is whole for a person and for sbatch.

`translate_script` reads the same back. What sbatch has no option for (input files, requeue by exit code, a
start on every node) is left out, and so is a variable whose value would need quotes. Pure.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator

from schedulers.directives.script import dialect_of
from schedulers.directives.translation import Dialect
from schedulers.jobspec import JobSpec, ResourceRequest, SignalTarget
from schedulers.units import CITY_TIME, format_walltime

_PLAIN = re.compile(r"[\w./:@%+=-]*", re.ASCII)
_ESCAPED = re.compile(r"[^\w./:@%+,=\[\]()|&*-]", re.ASCII)


def script_with_directives(spec: JobSpec) -> str:
    """The job's script with a header that asks for the same; one that has its own header stays as it is.

    A command becomes a script that runs it.
    """
    script = spec.script if spec.script is not None else f"#!/bin/bash\nexec {shlex.join(spec.argv or ())}\n"
    if dialect_of(script) is not Dialect.NONE:
        return script
    first, _, rest = script.partition("\n")
    header = "\n".join(f"#SBATCH {option}" for option in sbatch_options(spec))
    return f"{first}\n{header}\n{rest}"


def sbatch_options(spec: JobSpec) -> list[str]:
    """`--cpus-per-task=4` and so on: what differs from sbatch's defaults, and always CPUs and memory."""
    words = [*_words(spec), *_resources(spec.resources), *_timing(spec)]
    flags = (
        ("exclusive", spec.exclusive),
        ("hold", spec.hold),
        ("no-requeue", not spec.requeue.on_node_fail),
    )
    return [
        *(f"--{name}={_quoted(value)}" for name, value in words if value),
        *(f"--{name}" for name, is_set in flags if is_set),
    ]


def _words(spec: JobSpec) -> Iterator[tuple[str, str | None]]:
    yield "job-name", spec.name
    yield "account", spec.account
    yield "partition", spec.partition
    yield "qos", spec.qos
    yield "constraint", spec.constraint
    yield "reservation", spec.reservation
    yield "comment", spec.comment
    yield "output", _from_its_folder(spec, spec.stdout_path)
    yield "error", _from_its_folder(spec, spec.stderr_path)
    yield "nodelist", ",".join(spec.nodelist)
    yield "exclude", ",".join(spec.exclude_nodes)
    yield "array", spec.array.expression if spec.array else None
    yield "chdir", spec.working_directory if spec.working_directory != "." else None
    yield "mail-type", ",".join(kind.value.upper() for kind in spec.mail_on)
    plain = [f"{name}={value}" for name, value in spec.environment.items() if _PLAIN.fullmatch(value)]
    yield "export", ",".join(["ALL", *plain]) if plain else None


def _from_its_folder(spec: JobSpec, path: str | None) -> str | None:
    """An output's path as sbatch takes it: from the working directory, where we count from the workspace."""
    return posixpath.relpath(path, spec.working_directory) if path else None


def _resources(asked: ResourceRequest) -> Iterator[tuple[str, str]]:
    if asked.nodes > 1:
        yield "nodes", str(asked.nodes)
    if asked.ntasks > 1:
        yield "ntasks", str(asked.ntasks)
    if asked.ntasks_per_node:
        yield "ntasks-per-node", str(asked.ntasks_per_node)
    yield "cpus-per-task", str(asked.cpus_per_task)
    yield "mem", f"{asked.memory_mib_per_node}M"
    if asked.gpus_per_node:
        gpus = (f"{kind}:{count}" if kind else str(count) for kind, count in asked.gpus_per_node.items())
        yield "gpus-per-node", ",".join(gpus)
    if asked.licenses:
        yield "licenses", ",".join(f"{feature}:{count}" for feature, count in asked.licenses.items())
    if asked.walltime_seconds:
        yield "time", format_walltime(asked.walltime_seconds)


def _timing(spec: JobSpec) -> Iterator[tuple[str, str]]:
    yield "dependency", ",".join(f"{one.kind}:{one.job_id}" for one in spec.dependencies)
    if spec.begin_at:
        yield "begin", spec.begin_at.astimezone(CITY_TIME).strftime("%Y-%m-%dT%H:%M:%S")
    if spec.nice:
        yield "nice", str(spec.nice)
    if signal := spec.warning_signal:
        prefix = "B:" if signal.target is SignalTarget.SCRIPT else ""
        yield "signal", f"{prefix}{signal.name.removeprefix('SIG')}@{signal.seconds_before_end}"


def _quoted(value: str) -> str:
    """As the header of a script reads words: in double quotes where it has more than plain characters."""
    if not _ESCAPED.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
