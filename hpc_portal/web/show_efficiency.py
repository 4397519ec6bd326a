"""What a job used of what it asked for, and what to ask for next time, in sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpc_portal.app.jobs.efficiency import Efficiency
from hpc_portal.app.jobs.size_from_history import SizeProposal
from hpc_portal.web.language import Language
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class ShownEfficiency:
    """Sentences about one job; `is_good` when it asked for what it needed."""

    sentences: tuple[str, ...]
    is_good: bool


@dataclass(frozen=True, slots=True)
class ShownProposal:
    """What was enough for a person's last jobs, and what the form would say then."""

    used: str
    proposed: str


def show_efficiency(found: Efficiency, language: Language) -> ShownEfficiency:
    """A sentence for each resource that was measured, and what less would have cost."""
    return ShownEfficiency(tuple(_sentences(found, language)), found.is_well_sized)


def _sentences(found: Efficiency, language: Language) -> Iterator[str]:
    if found.used.cpu_seconds:
        used = language.number(found.used.average_cores, 1)
        yield _said(language, N_("CPU: %(used)s of %(asked)s cores were busy."), used, found.cpus_asked)
        if found.cpus_enough < found.cpus_asked:
            cores = _cores(language, found.cpus_enough)
            yield language.gettext(N_("%(cores)s would very likely have been as fast."), cores=cores)
    if found.used.peak_mib:
        peak, asked = language.memory(found.used.peak_mib), language.memory(found.memory_mib_asked)
        yield _said(language, N_("Memory: at most %(used)s of %(asked)s was used."), peak, asked)
        if found.memory_mib_enough < found.memory_mib_asked:
            enough = language.memory(found.memory_mib_enough)
            yield language.gettext(N_("%(enough)s would have been enough."), enough=enough)
    if found.gpu_busy_share is not None:
        share = language.number(100 * found.gpu_busy_share)
        yield language.gettext(N_("GPU: at work %(share)s %% of the time."), share=share)
    if found.saved_vnd > 0:
        yield language.gettext(
            N_("That would have cost %(share)s %% less: %(saved)s of %(whole)s at list price."),
            share=language.number(100 * found.saved_vnd / found.list_vnd),
            saved=language.vnd(found.saved_vnd),
            whole=language.vnd(found.list_vnd),
        )


def _said(language: Language, sentence: str, used: str, asked: object) -> str:
    return language.gettext(sentence, used=used, asked=asked)


def show_proposal(found: SizeProposal, language: Language) -> ShownProposal:
    """What they used at most, and what would have been enough for all of them."""
    used = [
        _cores(language, found.used.busiest_cores) if found.cpus else "",
        language.memory(found.used.peak_mib) if found.memory_mib else "",
        language.duration(found.used.longest_seconds),
    ]
    proposed = [
        _cores(language, found.cpus) if found.cpus else "",
        language.memory(found.memory_mib) if found.memory_mib else "",
        language.duration(found.walltime_seconds),
    ]
    return ShownProposal(", ".join(filter(None, used)), ", ".join(filter(None, proposed)))


def _cores(language: Language, cores: float) -> str:
    if cores == 1:
        return language.gettext(N_("1 CPU core"))
    decimals = 0 if cores == int(cores) else 1
    return language.gettext(N_("%(cores)s CPU cores"), cores=language.number(cores, decimals))


def sized_by(parameters: Mapping[str, Any] | None, found: SizeProposal | Efficiency) -> dict[str, Any]:
    """The parameters of a form with what was enough in place of what they ask for."""
    match found:
        case SizeProposal():
            enough = {
                "cpus": found.cpus,
                "memory_mib": found.memory_mib,
                "walltime_seconds": found.walltime_seconds,
            }
        case Efficiency(is_well_sized=True):
            enough = {}
        case Efficiency():
            enough = {"cpus": found.cpus_enough, "memory_mib": found.memory_mib_enough}
    given = dict(parameters or {})
    known = {name: value for name, value in enough.items() if value is not None}
    return {**given, "resources": {**given.get("resources", {}), **known}}
