"""Reads sbatch's --dependency, whose job ids are the portal's. Pure."""

from uuid import UUID

from schedulers.directives.circumstances import Circumstances, Resolve
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import Dependency, DependencyKind


def read(text: str, circumstances: Circumstances) -> tuple[Dependency, ...]:
    """`afterok:ID[:ID...][,afterany:ID...]`, all of which must be met.

    Raises:
        InvalidJobSpec: a condition that the portal does not know, or a job that it does not know.
    """
    if "?" in text:
        raise InvalidJobSpec("dependencies", "The portal waits for all conditions, not for any of them (?)")
    return tuple(
        found for item in text.split(",") for found in _read_one(item.strip(), circumstances.resolve)
    )


def _read_one(item: str, resolve: Resolve) -> list[Dependency]:
    kind, *jobs = item.split(":")
    if kind not in set(DependencyKind):
        raise InvalidJobSpec(
            "dependencies",
            "The portal does not know %(kind)r; it waits with afterok, afterany, afternotok or aftercorr",
            kind=kind,
        )
    if not jobs:
        raise InvalidJobSpec("dependencies", "%(kind)s needs a job: %(kind)s:ID", kind=kind)
    return [Dependency(kind=DependencyKind(kind), job_id=_known(job, resolve)) for job in jobs]


def _known(text: str, resolve: Resolve) -> UUID:
    found = resolve(text)
    if found is None:
        raise InvalidJobSpec(
            "dependencies", "%(text)r is no job of the portal: give the id that it has here", text=text
        )
    return found
