"""API versions of slurmrestd: one small step for each, which lifts a reply to the newest shape.

A step holds only what differs in fields that wire.py reads or that the portal writes. Sources: replies of
Slurm 24.11 and 26.05, recorded in tests/contract/slurm_wire, and the OpenAPI release notes of the releases
between them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, TypeAlias

from schedulers.slurm.errors import SlurmRefused

Record: TypeAlias = Mapping[str, Any]
"""One job, node, QOS ... as it came over the wire."""
Lift: TypeAlias = Callable[[Record], Record]

OLDEST = 40
NEWEST = 45
FURTHEST = 60
"""Where the search for versions newer than NEWEST ends."""


class Kind(Enum):
    """What a record is, with the key of the list that holds it in a reply."""

    PING = ("ping", "pings")
    JOB = ("job", "jobs")
    JOB_STATE = ("job state", "jobs")
    NODE = ("node", "nodes")
    PARTITION = ("partition", "partitions")
    LICENSE = ("licence", "licenses")
    RESERVATION = ("reservation", "reservations")
    ACCOUNTED_JOB = ("accounted job", "jobs")
    TRES = ("resource", "TRES")
    QOS = ("QOS", "qos")
    ACCOUNT = ("account", "accounts")
    USER = ("user", "users")
    ASSOCIATION = ("association", "associations")

    def __init__(self, label: str, key: str) -> None:
        self.label = label
        self.key = key


class Ability(StrEnum):
    """What only some versions can do."""

    REQUEUE = "requeue jobs"
    GROUP_TRES_MINUTES = "read and set GrpTRESMins of a QOS"


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to the next: how to lift its records, and what the next one can do besides."""

    lifts: Mapping[Kind, Lift] = field(default_factory=dict)
    new_abilities: frozenset[Ability] = frozenset()
    new_job_fields: frozenset[str] = frozenset()
    """Fields of a job request that the older version ignores with a warning."""


def api_name(number: int) -> str:
    """`v0.0.42` for 42."""
    return f"v0.0.{number}"


def candidates() -> Iterator[int]:
    """Versions in the order to try them: known ones newest first, then the nearest unknown one."""
    yield from range(NEWEST, OLDEST - 1, -1)
    yield from range(NEWEST + 1, FURTHEST + 1)


def lift(kind: Kind, records: list[Record], version: int) -> list[Record]:
    """Records of this version in the newest shape; an unknown newer version counts as the newest known."""
    for number in range(version, NEWEST):
        one = _STEPS[number].lifts.get(kind)
        if one is not None:
            records = [one(record) for record in records]
    return records


def require(ability: Ability, version: int) -> None:
    """Refuse what this version cannot do.

    Raises:
        SlurmRefused: it cannot.
    """
    since = next((number + 1 for number, step in _STEPS.items() if ability in step.new_abilities), OLDEST)
    if version < since:
        raise SlurmRefused(
            f"slurmrestd speaks {api_name(version)}, which cannot {ability.value}; {api_name(since)} can"
        )


def require_job_fields(job: Mapping[str, object], version: int) -> None:
    """Refuse a job request with fields that this version would drop with a mere warning.

    Raises:
        SlurmRefused: there is such a field.
    """
    for number in range(version, NEWEST):
        dropped = sorted(_STEPS[number].new_job_fields & job.keys())
        if dropped:
            raise SlurmRefused(
                f"slurmrestd speaks {api_name(version)}, which does not know the job field {dropped[0]!r}; "
                f"{api_name(number + 1)} does"
            )


def _40_association(record: Record) -> Record:
    """`id` was an object that repeated the association's names."""
    identity = record.get("id")
    return {**record, "id": identity.get("id")} if isinstance(identity, dict) else record


def _40_job_state(record: Record) -> Record:
    """`job_id` named the array (`37_1`); since v0.0.41 a started task has its own number there (`40_1`)."""
    array, _, task = str(record.get("job_id", "")).partition("_")
    return {**record, "array_job_id": array} if task else record


def _41_ping(record: Record) -> Record:
    """`pinged` and `mode` became booleans."""
    return {
        "responding": record.get("pinged") == "UP",
        "primary": record.get("mode") == "primary",
        **record,
    }


def _42_job(record: Record) -> Record:
    """`standard_output` held the expanded path; now it is the pattern. Allocated licences got a field."""
    has_started = bool(record.get("nodes"))
    return {
        "stdin_expanded": record.get("standard_input"),
        "stdout_expanded": record.get("standard_output"),
        "stderr_expanded": record.get("standard_error"),
        "licenses_allocated": record.get("licenses") if has_started else "",
        **record,
    }


def _43_job(record: Record) -> Record:
    """Stderr repeated the path of stdout; now it is empty unless it was asked for."""
    if record.get("stderr_expanded") != record.get("stdout_expanded"):
        return record
    return {**record, "standard_error": "", "stderr_expanded": ""}


_STEPS: Mapping[int, Step] = {
    40: Step(
        lifts={Kind.ASSOCIATION: _40_association, Kind.JOB_STATE: _40_job_state},
        new_job_fields=frozenset({"segment_size"}),
    ),
    41: Step(
        lifts={Kind.PING: _41_ping},
        new_abilities=frozenset({Ability.GROUP_TRES_MINUTES}),
        new_job_fields=frozenset({"oom_kill_step"}),
    ),
    42: Step(lifts={Kind.JOB: _42_job}),
    43: Step(lifts={Kind.JOB: _43_job}),
    44: Step(
        new_abilities=frozenset({Ability.REQUEUE}),
        new_job_fields=frozenset({"container_type", "memory_update_delay", "memory_update_margin"}),
    ),
}
