"""Slurm's words for a state, its exit codes and its node lists of GPUs, in the portal's own terms; pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from schedulers.jobstate import ExitCode, JobState, StateFlag
from schedulers.slurm.wire import WireExitCode

log = structlog.get_logger()

_BASES = frozenset(JobState) - {JobState.UNKNOWN}
_FLAGS = {flag.value: flag for flag in StateFlag} | {
    # A run whose data is still being carried away has not ended either.
    "STAGE_OUT": StateFlag.COMPLETING,
}
_SILENT_FLAGS = frozenset(
    {
        *("EXPEDITING", "LAUNCH_FAILED", "POWER_UP_NODE", "RECONFIG_FAIL", "REQUEUE_FED", "REQUEUE_HOLD"),
        *("RESIZING", "REVOKED", "SIGNALING", "SPECIAL_EXIT", "STOPPED", "UPDATE_DB"),
    }
)
"""Flags that tell nothing which the portal shows."""
_GPU_INDICES = re.compile(r"^gpu.*\(IDX:([0-9,-]+)\)")


@dataclass(frozen=True, slots=True)
class ReadState:
    """A base state with what stands beside it."""

    base: JobState
    flags: frozenset[StateFlag] = frozenset()

    @property
    def waits(self) -> bool:
        """Whether a run has yet to start."""
        return self.base is JobState.PENDING

    @property
    def has_ended(self) -> bool:
        """Whether it will change no more, unless it is put back into the queue."""
        return self.base.is_terminal and StateFlag.COMPLETING not in self.flags


def read_state(words: Iterable[str]) -> ReadState:
    """The base state and the flags in a list such as ["CANCELLED", "COMPLETING"].

    No base, two of them, or a word that no Slurm we know says: UNKNOWN, which is never taken for an end.
    """
    said = list(words)
    bases = [word for word in said if word in _BASES]
    strange = [
        word for word in said if word not in _BASES and word not in _FLAGS and word not in _SILENT_FLAGS
    ]
    flags = frozenset(_FLAGS[word] for word in said if word in _FLAGS)
    if len(bases) != 1 or strange:
        log.warning("slurm.unknown_state", said=said)
        return ReadState(JobState.UNKNOWN, flags)
    return ReadState(JobState(bases[0]), flags)


def read_exit_code(said: WireExitCode) -> ExitCode:
    """The program's exit code, or the signal that ended it."""
    code = said.return_code if isinstance(said.return_code, int) else 0
    signal = said.signal_id if isinstance(said.signal_id, int) else 0
    return ExitCode(code, signal)


def read_reason(said: str) -> str:
    """Slurm's word for why; its "None" means that there is no reason."""
    return "" if said == "None" else said


def read_gpu_indices(nodes: Iterable[str], gres_detail: Iterable[str]) -> dict[str, tuple[int, ...]] | None:
    """Concrete GPUs by node: slurmctld describes each node's GRES in the order of the node list."""
    found: dict[str, tuple[int, ...]] = {}
    for node, detail in zip(nodes, gres_detail, strict=False):
        if match := _GPU_INDICES.match(detail):
            found[node] = tuple(_expand(match[1]))
    return found or None


def _expand(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
