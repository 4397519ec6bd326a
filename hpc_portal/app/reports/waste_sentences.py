"""What a report of waste says in plain sentences: how much was used, what the rest is worth, who left it."""

from collections.abc import Iterator

from hpc_portal.app.reports.document import Amount, Share
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.usage_document import dimension_cell
from hpc_portal.app.reports.waste_report import MostWasteful, Waste, WasteReport
from hpc_portal.app.reports.written import write
from quotas.money import VND
from quotas.usage_report import Dimension

_MOST_PROJECTS = 5


def waste_sentences(report: WasteReport, language: str) -> list[str]:
    """Nothing where nothing was measured. Pure."""
    shares = _shares(report.total, language)
    if not shares:
        return []
    found = [" ".join([say("waste_used", language, shares=shares), *_worth(report.total, language)])]
    found += _most(report.templates, "most_by_template", report.total, language)
    found += _most(report.people, "most_by_person", report.total, language)
    if report.query.by == (Dimension.PROJECT,) and len(report.lines) > 1:
        found += filter(None, (_of_project(line, language) for line in report.lines[:_MOST_PROJECTS]))
    return found


def _of_project(line: Waste, language: str) -> str:
    """One project's own sentence; "" where nothing of it was measured."""
    shares = _shares(line, language)
    name = _name(line, Dimension.PROJECT, language)
    said = say("waste_of_one", language, name=name, shares=shares)
    return " ".join([said, *_worth(line, language)]) if shares else ""


def _shares(line: Waste, language: str) -> str:
    """`25 % of the CPU time, 40 % of the memory`: of what was measured."""
    usage, memory = line.usage, line.memory
    parts = (
        ("share_of_cpu", Share(usage.used_cpu_seconds, usage.cpu_measured_seconds)),
        ("share_of_mem", Share(memory.peak, memory.asked)),
        ("share_of_gpu", Share(usage.gpu_busy_seconds, usage.gpu_measured_seconds)),
    )
    return ", ".join(
        say(phrase, language, share=write(share, language)) for phrase, share in parts if share.whole
    )


def _worth(line: Waste, language: str) -> Iterator[str]:
    if line.unused_vnd:
        yield say("unused_worth", language, money=write(Amount(VND, line.unused_vnd), language))


def _most(found: MostWasteful, phrase: str, total: Waste, language: str) -> Iterator[str]:
    """Who left the most, where there are several and it has a price."""
    if found.of < 2 or not total.unused_vnd or not found.lines[0].unused_vnd:  # noqa: PLR2004 - one of one is no news
        return
    first = found.lines[0]
    share = write(Share(first.unused_vnd or 0, total.unused_vnd), language)
    names = {key.value: _name(first, key, language) for key in first.of}
    yield say(phrase, language, share=share, **names)


def _name(line: Waste, key: Dimension, language: str) -> str:
    return write(dimension_cell(key, line.of[key], language), language)
